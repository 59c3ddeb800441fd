"""Cells: the overrides of a sweep made into checked configs with names. No JAX here."""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxnets import config as configuration
from jaxnets.config import Config
from jaxnets.errors import ConfigError
from jaxnets.sweep import grid
from jaxnets.sweep.grid import Matched

DIGITS = 8  # of a cell's hash in the name of its folder
LONGEST = 150  # characters of that name; file systems take 255 bytes

# (config, axis, what to match) -> {axis: value, ...}
Solve = Callable[[Config, str, Matched], dict[str, Any]]


class Cell(NamedTuple):
  """One run of a sweep."""

  hash: str  # of the resolved config, 12 hexadecimal digits: the identity of the cell
  folder: str  # name of its run folder
  overrides: dict[str, Any]  # dotted keys and values, those of matched axes solved
  config: Config
  program: str  # cells with equal ones run the same compiled train step


def resolve(base: Config, overrides: Sequence[Mapping[str, Any]], solve: Solve) -> list[Cell]:
  """Checked cells of a sweep, in order.

  Args:
    base: the config that is varied.
    overrides: a dict of dotted keys for each cell.
    solve: finds the values of matched axes.

  Raises:
    ConfigError: a key or value that the config cannot have, naming the cell; two equal cells.
  """
  if not overrides:
    raise ConfigError("the sweep has no cells")
  cells: list[Cell] = []
  for number, given in enumerate(overrides, start=1):
    try:
      cells.append(_cell(base, given, solve))
    except ConfigError as error:
      raise ConfigError(f"cell {number} of {len(overrides)} ({name(given)}): {error}") from error
  first: dict[str, int] = {}
  for number, cell in enumerate(cells, start=1):
    if cell.hash in first:
      raise ConfigError(
        f"cells {first[cell.hash]} and {number} are the same run ({name(cell.overrides)})\n"
        "Leave one of them out; what differs must be a field of the config"
      )
    first[cell.hash] = number
  return cells


def name(overrides: Mapping[str, Any]) -> str:
  """ "depth=20,shortcut=none,seed=0"; keys by their last words where these tell them apart."""
  last = [key.rpartition(".")[2] for key in overrides]
  keys = [key if last.count(word) > 1 else word for key, word in zip(overrides, last, strict=True)]
  parts = [f"{key}={_word(value)}" for key, value in zip(keys, overrides.values(), strict=True)]
  return ",".join(parts) or "base"


def vary(grids: Sequence[tuple[str, Sequence[Any]]], seeds: Sequence[int]) -> grid.Cells:
  """The cells of --grid=KEY=VALUES, repeated, and --seeds."""
  parts = [grid.sweep(key, values) for key, values in grids]
  return grid.product([*parts, *([grid.seeds(seeds)] if seeds else [])])


def ablate(first: Config, second: Config) -> grid.Cells:
  """From one config to another, axis by axis.

  The first itself; it with one axis of the second ("add one in"); the chain in which one axis after
  the other becomes the second's, in their order in the config; the second with one axis of the
  first ("leave one out"). Combinations that the checks refuse are left out, equal ones come once.

  Raises:
    ConfigError: the configs are equal, or their nets have other axes than each other.
  """
  differing = configuration.differences(first.to_dict(), second.to_dict())
  if not differing:
    raise ConfigError("the two configs are the same; there is nothing to ablate")
  after = {key: new for key, (_, new) in differing.items()}
  keys = [key for key in after if key != "net.name"]
  renamed = {"net.name": after["net.name"]} if "net.name" in after else {}
  if set(configuration.flatten(first)) != set(configuration.flatten(second)):
    raise ConfigError(
      f'"{first.net.name}" and "{second.net.name}" have other axes than each other\n'
      "Only nets of one family can be taken apart axis by axis"
    )
  chain = itertools.accumulate(([key] for key in keys), lambda a, b: a + b, initial=[])
  chosen = [[], *([key] for key in keys), *chain, *([k for k in keys if k != key] for key in keys)]
  own = {key: old for key, (old, _) in differing.items()}
  cells, seen = [], set()
  for some in chosen:
    # A net's name brings its own axes, so all that differ are said.
    cell = renamed | {key: after[key] if key in some else own[key] for key in keys}
    text = repr(cell)
    if text not in seen and _is_legal(first, cell):
      seen.add(text)
      cells.append(cell)
  return cells


def _cell(base: Config, given: Mapping[str, Any], solve: Solve) -> Cell:
  plain = {key: value for key, value in given.items() if not isinstance(value, Matched)}
  config = configuration.changed(base, plain)
  solved: dict[str, Any] = {}
  for key, value in given.items():
    if isinstance(value, Matched):
      if key not in configuration.flatten(config):
        raise ConfigError(f'net "{config.net.name}" has no axis "{key.removeprefix("net.")}"')
      solved |= solve(config, key, value)
  resolved = {key: solved.get(key, value) for key, value in given.items()} | solved
  if solved:
    config = configuration.changed(base, resolved)
  digest = configuration.digest(config)
  folder = f"{name(resolved)[: LONGEST - DIGITS - 1]}-{digest[:DIGITS]}"
  program = configuration.digest(configuration.program(config))
  return Cell(digest, folder, resolved, config, program)


def _is_legal(base: Config, cell: Mapping[str, Any]) -> bool:
  try:
    configuration.changed(base, cell)
  except ConfigError:
    return False
  return True


def _word(value: Any) -> str:
  """A value in a file's name: "0.1", "3x3x3", "none", "folder-photos"."""
  if isinstance(value, Matched):
    return f"matched-{value.quantity}"
  if isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, float):
    return f"{value:g}"
  if isinstance(value, tuple | list):
    return "x".join(map(_word, value)) or "none"
  return re.sub(r"[^\w.+-]", "-", str(value))
