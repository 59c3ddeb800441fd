"""The algebra of sweeps: lists of cells, each a dict of dotted config keys and values. No JAX here.

An experiment file declares what is varied:

    def get_sweep(hyper):
      return hyper.product([
        hyper.sweep("net.depth", [20, 32, 44]),
        hyper.sweep("net.shortcut", ["none", "A"]),
        hyper.seeds(3),
      ])

A plain list of dicts is a sweep too. Keys may begin with "config.", as they do in flags.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxnets.errors import ConfigError

Cells = list[dict[str, Any]]

QUANTITIES = ("macs", "params", "activations")


class Matched(NamedTuple):
  """In place of a value: the one at which the cell's net costs what it should."""

  quantity: str  # macs, params or activations
  target: float | tuple[tuple[str, Any], ...]  # a number, or the overrides of the net to equal
  tolerance: float
  then: str  # a second axis that closes the gap; "" for none


def sweep(key: str, values: Iterable[Any]) -> Cells:
  """A cell for each value of a key."""
  if not isinstance(values, Iterable) or isinstance(values, str):
    raise ConfigError(
      f'sweep("{key}", {values!r}) needs a list of values\nFor one: fixed(key, value)'
    )
  cells = [{_plain(key): value} for value in values]
  if not cells:
    raise ConfigError(f'sweep("{key}", []) has no values\nLeave it out, or give it some')
  return cells


def fixed(key: str, value: Any) -> Cells:
  """One cell: a key with one value."""
  return [{_plain(key): value}]


def seeds(which: int | Iterable[int]) -> Cells:
  """Seeds 0 to n - 1, or those given."""
  return sweep("seed", range(which) if isinstance(which, int) else which)


def product(parts: Sequence[Cells]) -> Cells:
  """Every combination of a cell of each part, the last part changing fastest."""
  return [_merge(cells) for cells in itertools.product(*parts)]


def zipit(parts: Sequence[Cells]) -> Cells:
  """The first cells of all parts together, the second ones, ...; parts of one cell are repeated."""
  lengths = {len(part) for part in parts} - {1}
  if len(lengths) > 1 or 0 in lengths:
    raise ConfigError(f"zipit needs parts of one length, not {sorted(map(len, parts))}")
  count = max(map(len, parts), default=0)
  return [_merge([part[i % len(part)] for part in parts]) for i in range(count)]


def chainit(parts: Sequence[Cells]) -> Cells:
  """The cells of all parts, one part after the other."""
  return [cell for part in parts for cell in part]


def where(cells: Cells, condition: Callable[[dict[str, Any]], bool]) -> Cells:
  """The cells for which the condition holds."""
  return [cell for cell in cells if condition(cell)]


def matched(
  axis: str,
  *,
  macs: float | Mapping[str, Any] | None = None,
  params: float | Mapping[str, Any] | None = None,
  activations: float | Mapping[str, Any] | None = None,
  tolerance: float = 0.01,
  then: str = "",
) -> Cells:
  """One cell in which an axis is solved so that the net costs as much as another.

  Depth against width at equal cost, each depth as dear as the config itself:

    hyper.product([hyper.sweep("net.depth", [8, 14, 20]), hyper.matched("net.width", macs={})])

  Args:
    axis: dotted key of an axis that is a number, "net.width".
    macs: multiply-adds of one image at inference: a number, or the overrides that make the config
      the net to equal, {} for the config as it is.
    params: learned values, likewise.
    activations: of one image at inference, likewise.
    tolerance: largest relative error.
    then: a second axis, for nets whose first has too coarse steps.

  Raises:
    ConfigError: not exactly one target, or an axis that is not the net's.
  """
  given = {"macs": macs, "params": params, "activations": activations}
  targets = [(name, target) for name, target in given.items() if target is not None]
  if len(targets) != 1:
    raise ConfigError(f"matched takes one of {', '.join(QUANTITIES)}, not {len(targets)} of them")
  axis, then = _plain(axis), _plain(then)
  for key in (axis, *([then] if then else [])):
    if not key.startswith("net."):
      raise ConfigError(f'matched solves an axis of the net, such as "net.width", not "{key}"')
  ((quantity, target),) = targets
  if not isinstance(target, int | float | Mapping):
    raise ConfigError(f"{quantity} (={target!r}) must be a number, or overrides such as {{}}")
  if isinstance(target, Mapping):
    target = tuple((_plain(key), value) for key, value in target.items())
  return [{axis: Matched(quantity, target, tolerance, then)}]


def plain(cells: Any) -> Cells:
  """What an experiment's `get_sweep` returned, as a list of dicts; ConfigError otherwise."""
  if not isinstance(cells, Iterable) or isinstance(cells, str | Mapping):
    raise ConfigError(f"get_sweep returned {type(cells).__name__}, not a list of dicts")
  cells = list(cells)
  for cell in cells:
    if not isinstance(cell, Mapping):
      raise ConfigError(f"get_sweep returned a list with {cell!r} in it; each must be a dict")
    if not all(isinstance(key, str) for key in cell):
      raise ConfigError(f"get_sweep returned {cell!r}; its keys must be fields, as net.depth")
  return [{_plain(key): value for key, value in cell.items()} for cell in cells]


def _merge(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
  merged: dict[str, Any] = {}
  for cell in cells:
    twice = merged.keys() & cell.keys()
    if twice:
      raise ConfigError(f"two parts of a product or zip set {', '.join(sorted(twice))}")
    merged |= cell
  return merged


def _plain(key: str) -> str:
  return key.removeprefix("config.")
