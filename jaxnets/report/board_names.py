"""What a row of the board is called."""

from collections.abc import Sequence
from typing import Any

from jaxnets.report import axes
from jaxnets.sweep.aggregate import Group
from jaxnets.sweep.keys import shorten, text_of

# Keys that the first words of a name tell.
HEADS = ("net.name", "pipeline.features", "pipeline.classifier")


def of(groups: Sequence[Group]) -> tuple[list[str], list[str]]:
  """A name for each group, and what those of one beginning have in common, in sentences.

  It begins with the net, or with features and classifier; then come the fields that tell it from
  others that begin so. Of a net's axes those of the published net of its name are not said.
  """
  families: dict[str, list[int]] = {}
  for i, one in enumerate(groups):
    families.setdefault(_head(one), []).append(i)
  names, shared = [""] * len(groups), []
  for head, members in families.items():
    changes = [_changed(groups[i]) for i in members]
    common = {key: value for key, value in (changes[0] or {}).items()
              if all(other and other.get(key) == value for other in changes)}  # fmt: skip
    if len(members) == 1:
      common = {}
    elif common:
      shared.append(f"{head}: {_said(common)} in all rows.")
    alike = [groups[i] for i in members]
    for i, telling, changed in zip(members, _telling(alike), changes, strict=True):
      own = {k: v for k, v in (changed or {}).items() if k not in common}
      names[i] = ", ".join(filter(None, (head, _said(_merged(telling, own, changed is None)))))
  return names, shared


def _head(one: Group) -> str:
  """The name of the net, or the features and their classifier."""
  config = one.runs[0].config
  if "pipeline" in config:
    return f"{config['pipeline']['features']}, {config['pipeline']['classifier']}"
  return str(config["net"]["name"])


def _changed(one: Group) -> dict[str, Any] | None:
  """The axes in which a net differs from the published one of its name; None if no run says so."""
  net = next((run.summary["net"] for run in one.runs if "net" in run.summary), None)
  return None if net is None else {axis: v for axis, v in net.items() if axis != "name"}


def _telling(alike: Sequence[Group]) -> list[dict[str, Any]]:
  """Of each group the keys, with their values, that tell it from the others."""
  varied = [
    key for key in alike[0].axes
    if key not in HEADS and len({repr(one.axes[key]) for one in alike}) > 1
  ]  # fmt: skip
  trimmed = [one._replace(axes={key: one.axes[key] for key in varied}) for one in alike]
  keys = axes.shown(trimmed, [])
  return [{key: one.axes[key] for key in keys} for one in trimmed]


def _merged(telling: dict[str, Any], changed: dict[str, Any], unknown: bool) -> dict[str, Any]:
  """Changed axes that tell, or all of them where nothing has to; then fields that are no axes."""
  short = shorten(telling)
  nets = {short[key]: value for key, value in telling.items() if key.startswith("net.")}
  rest = {short[key]: value for key, value in telling.items() if not key.startswith("net.")}
  if unknown:
    return nets | rest
  return {key: value for key, value in changed.items() if not nets or key in nets} | rest


def _said(values: dict[str, Any]) -> str:
  return ", ".join(f"{key}={text_of(value)}" for key, value in values.items())
