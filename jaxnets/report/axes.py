"""The axes along which groups differ, and how figures divide groups into panels and colours."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jaxnets.sweep import aggregate
from jaxnets.sweep.aggregate import Group
from jaxnets.sweep.keys import shorten, text_of

COLOURS = 7  # that stay apart for every eye
PANELS = 12  # of a figure
LINES = 6  # of a panel whose lines are no axis


class Panel(NamedTuple):
  """Some of the groups, drawn together."""

  title: str
  members: list[int]  # indices of groups
  shades: list[int]  # of each member, 0 to COLOURS - 1


class Division(NamedTuple):
  """All groups in panels."""

  panels: list[Panel]
  legend: list[str]  # of the shades, the same in all panels; [] where each panel has its own
  title: str  # of the legend


def shown(groups: Sequence[Group], declared: Iterable[str]) -> list[str]:
  """The keys that tell the groups apart, without those that only follow from others.

  A sweep over net.name changes many fields of net; the sweep declared one. Where it declared none
  that tell all groups apart, keys go from the last on, for as long as the others still do.
  """
  keys = list(groups[0].axes) if groups else []
  own = [key for key in keys if key in set(declared)]
  if own and _apart(groups, own):
    return own
  for key in reversed(keys):
    rest = [k for k in keys if k != key]
    if len(keys) > 3 and _apart(groups, rest):
      keys = rest
  return keys


def values(groups: Sequence[Group], key: str) -> list[Any]:
  """The values of an axis: numbers by size, others as they come."""
  found = list({repr(one.axes[key]): one.axes[key] for one in groups}.values())
  return sorted(found) if is_numeric(found) else found


def is_numeric(found: Iterable[Any]) -> bool:
  """Whether all are numbers; False and True are none."""
  return all(isinstance(v, int | float) and not isinstance(v, bool) for v in found)


def is_wide(found: Sequence[float]) -> bool:
  """Whether numbers span so much that they belong on a logarithmic axis."""
  return min(found) > 0 and max(found) / min(found) >= 16


def named(one: Group, keys: Iterable[str]) -> str:
  """ "depth=20, shortcut=none"."""
  return aggregate.label({key: one.axes[key] for key in keys})


def divide(groups: Sequence[Group], keys: Sequence[str]) -> Division:
  """Colours for the axis with the most values, a panel for each setting of the others.

  Where that gives too many of either, panels of a few groups in their order.
  """
  several = [key for key in keys if len(values(groups, key)) > 1]
  if not several:
    return Division([Panel("", list(range(len(groups))), [0] * len(groups))], [], "")
  colour, shades = shade(groups, keys)
  panels = facets(groups, [key for key in several if key != colour])
  if colour and len(panels) <= PANELS:
    return Division(
      [Panel(title, own, [shades[i] for i in own]) for title, own in panels],
      *legend(groups, colour, keys),
    )
  chunks = [list(range(i, min(i + LINES, len(groups)))) for i in range(0, len(groups), LINES)]
  return Division(
    [Panel(f"groups {own[0] + 1} to {own[-1] + 1}", own, list(range(len(own)))) for own in chunks],
    [], "",
  )  # fmt: skip


def shade(groups: Sequence[Group], keys: Sequence[str]) -> tuple[str, list[int]]:
  """The axis that has the most values of those with no more than colours, and each group's colour.

  "" and zeros where no axis has several and few enough.
  """
  sizes = {key: len(values(groups, key)) for key in keys}
  fits = [key for key in keys if 1 < sizes[key] <= COLOURS]
  if not fits:
    return "", [0] * len(groups)
  key = max(fits, key=lambda key: sizes[key])
  order = [repr(v) for v in values(groups, key)]
  return key, [order.index(repr(one.axes[key])) for one in groups]


def legend(groups: Sequence[Group], key: str, keys: Sequence[str]) -> tuple[list[str], str]:
  """The names of an axis's colours, and their title."""
  return [text_of(v) for v in values(groups, key)], shorten(keys)[key]


def facets(groups: Sequence[Group], keys: Sequence[str]) -> list[tuple[str, list[int]]]:
  """The groups' indices by their setting of some keys, settings in the order of their values."""
  order = {key: [repr(v) for v in values(groups, key)] for key in keys}
  found: dict[tuple[int, ...], list[int]] = {}
  for i, one in enumerate(groups):
    found.setdefault(tuple(order[k].index(repr(one.axes[k])) for k in keys), []).append(i)
  return [(named(groups[own[0]], keys), own) for _, own in sorted(found.items())]


def _apart(groups: Sequence[Group], keys: Sequence[str]) -> bool:
  return len({repr([one.axes[key] for key in keys]) for one in groups}) == len(groups)
