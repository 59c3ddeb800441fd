"""Values of matched axes: each cell's net at the cost that the sweep asks for."""

import contextlib
from typing import Any

from jaxnets import config as configuration
from jaxnets import data, nets
from jaxnets.config import Config
from jaxnets.errors import ConfigError, DataError
from jaxnets.sweep.cells import Solve
from jaxnets.sweep.grid import Matched


def make_solve(base: Config, data_dir: str | None) -> Solve:
  """A solver for the cells of a sweep over `base`; nets that differ in no axis are solved once."""
  solved: dict[str, dict[str, Any]] = {}

  def solve(config: Config, axis: str, matched: Matched) -> dict[str, Any]:
    from jaxnets import cost

    facts = facts_of(config, data_dir)
    net = config.net.to_dict()
    key = repr((net, facts, axis, matched))
    if key not in solved:
      target = matched.target
      if isinstance(target, tuple):
        other = configuration.changed(base, dict(target))
        axes = other.net.to_dict()
        target = cost.cost_of(
          axes.pop("name"), matched.quantity, **facts_of(other, data_dir), **axes
        )
      name, then = axis.removeprefix("net."), matched.then.removeprefix("net.")
      fields = {k: v for k, v in net.items() if k not in ("name", name, then)}
      found = cost.match(
        net["name"], name, tolerance=matched.tolerance, then=then,
        **{matched.quantity: target}, **facts, **fields,
      )  # fmt: skip
      solved[key] = {f"net.{k}": found.fields[k] for k in (name, then) if k}
    return solved[key]

  return solve


def facts_of(config: Config, data_dir: str | None) -> dict[str, Any]:
  """Image size, channels and classes of a config's data, or colour images and the net's classes."""
  classes, channels = nets.variant(config.net.name).classes, 3
  with contextlib.suppress(DataError):  # not prepared here
    info = data.info(config.data.name, data_dir)
    classes, channels = len(info.classes), info.channels
  return {"image_size": config.data.image_size, "channels": channels, "classes": classes}


def is_possible(config: Config, data_dir: str | None) -> bool:
  """Whether the config's net can be built for its images; it is traced, nothing is computed."""
  from jaxnets.cost.net import shapes_of
  from jaxnets.train.experiment import name_net

  facts = facts_of(config, data_dir)
  try:
    shapes_of(name_net(config, facts["classes"]), facts["image_size"], facts["channels"])
  except ConfigError:
    return False
  return True
