"""Values of matched axes: each cell's net at the cost that the sweep asks for."""

from collections.abc import Sequence
from typing import Any

from jaxnets import config as configuration
from jaxnets import data
from jaxnets.config import Config
from jaxnets.errors import ConfigError
from jaxnets.sweep.cells import Cell, Solve
from jaxnets.sweep.cells import name as name_of
from jaxnets.sweep.grid import Matched


def make_solve(base: Config, data_dir: str | None) -> Solve:
  """A solver for the cells of a sweep over `base`; nets that differ in no axis are solved once."""
  solved: dict[str, dict[str, Any]] = {}

  def solve(config: Config, axis: str, matched: Matched) -> dict[str, Any]:
    from jaxnets import cost
    from jaxnets.train.estimate import subject_of

    def facts_of(config: Config) -> dict[str, Any]:
      classes, channels = subject_of(config, data_dir)[1:3]
      return {"image_size": config.data.image_size, "channels": channels, "classes": classes}

    facts = facts_of(config)
    net = config.net.to_dict()
    key = repr((net, facts, axis, matched))
    if key not in solved:
      target = matched.target
      if isinstance(target, tuple):
        other = configuration.changed(base, dict(target))
        axes = other.net.to_dict()
        target = cost.cost_of(axes.pop("name"), matched.quantity, **facts_of(other), **axes)
      name, then = axis.removeprefix("net."), matched.then.removeprefix("net.")
      fields = {k: v for k, v in net.items() if k not in ("name", name, then)}
      found = cost.match(
        net["name"], name, tolerance=matched.tolerance, then=then,
        **{matched.quantity: target}, **facts, **fields,
      )  # fmt: skip
      solved[key] = {f"net.{k}": found.fields[k] for k in (name, then) if k}
    return solved[key]

  return solve


def check_net(config: Config, data_dir: str | None) -> None:
  """Traces the config's net on its images; nothing is computed.

  Raises:
    ConfigError: the images are too small, or axes contradict each other.
  """
  from jaxnets.cost.net import shapes_of
  from jaxnets.train.estimate import subject_of
  from jaxnets.train.experiment import name_net

  _, classes, channels, *_ = subject_of(config, data_dir)
  shapes_of(name_net(config, classes), config.data.image_size, channels)


def is_possible(config: Config, data_dir: str | None) -> bool:
  """Whether the config's net can be built for its images."""
  try:
    check_net(config, data_dir)
  except ConfigError:
    return False
  return True


def check_cells(cells: Sequence[Cell], data_dir: str | None) -> None:
  """Refuses a sweep with a net that cannot be built or data that are not there.

  Raises:
    ConfigError: naming the cell.
    DataError: a dataset is not prepared.
  """
  for name in {cell.config.data.name: None for cell in cells}:
    data.info(name, data_dir)
  seen = set()
  for number, cell in enumerate(cells, start=1):
    net = repr((cell.config.net.to_dict(), cell.config.data.name, cell.config.data.image_size))
    if net not in seen:
      seen.add(net)
      try:
        check_net(cell.config, data_dir)
      except ConfigError as error:
        raise ConfigError(
          f"cell {number} of {len(cells)} ({name_of(cell.overrides)}): {error}"
        ) from error
