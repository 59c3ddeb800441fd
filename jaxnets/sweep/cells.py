"""Cells: the overrides of a sweep made into checked configs with names. No JAX here."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxnets import config as configuration
from jaxnets import nets
from jaxnets.config import Config
from jaxnets.errors import ConfigError
from jaxnets.sweep import grid
from jaxnets.sweep.grid import Matched
from jaxnets.sweep.keys import shorten

DIGITS = 8  # of a cell's hash in the name of its folder
LONGEST = 150  # characters of that name; file systems take 255 bytes

LENGTH = ("train.steps", "train.epochs")

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
  short = shorten(overrides)
  parts = [f"{short[key]}={_word(value)}" for key, value in overrides.items()]
  return ",".join(parts) or "base"


def ablate(
  first: Config, second: Config, is_possible: Callable[[Config], bool] = lambda config: True
) -> grid.Cells:
  """From one config to another, axis by axis, as overrides of the first.

  The first itself; it with one axis of the second ("add one in"); the chain in which one axis after
  the other becomes the second's, in the order of the config; the second, and it with one axis of
  the first ("leave one out"). Combinations that the checks refuse are left out, equal ones come
  once. Nets of two families are taken apart in the axes that both have.

  Args:
    first, second: checked configs.
    is_possible: whether a net can be built, for what the checks of configs do not know.

  Raises:
    ConfigError: the configs are the same.
  """
  one, other = configuration.flatten(first), configuration.flatten(second)
  differ = [k for k in one if k in other and k != "net.name" and one[k] != other[k]]
  # A run's length is said in steps or in epochs: one axis.
  length = tuple(k for k in differ if k in LENGTH)
  axes = [length if k in LENGTH else (k,) for k in differ if k not in LENGTH[1:] or k == length[0]]
  if not axes and first.net.name == second.net.name:
    raise ConfigError("the two configs are the same; there is nothing to ablate\nName two others")

  def of(chosen: Iterable[tuple[str, ...]], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: values[key] for axis in chosen for key in axis}

  family = one.keys() == other.keys()
  # In one family the second's name goes throughout, and all that differs is said.
  base = {"net.name": second.net.name} | of(axes, one) if family else {}
  # An axis that the first cannot take alone is no step of the chain.
  steps = [a for a in axes if _is_legal(first, base | of([a], other), is_possible)]
  chain = itertools.accumulate(([axis] for axis in steps), lambda a, b: a + b)
  cells = [base | of(some, other) for some in ([], *([axis] for axis in steps), *chain)]
  if family:
    whole = base | of(axes, other)
  else:
    own = {f"net.{axis}": value for axis, value in nets.axes(second.net.name).items()}
    whole = {k: v for k, v in other.items() if v != (own[k] if k in own else one.get(k))}
  cells += [*(whole | of([axis], one) for axis in axes), whole]
  legal = [cell for cell in cells if _is_legal(first, cell, is_possible)]
  return list({configuration.digest(configuration.changed(first, c)): c for c in legal}.values())


def _cell(base: Config, given: Mapping[str, Any], solve: Solve) -> Cell:
  plain = {key: value for key, value in given.items() if not isinstance(value, Matched)}
  config = configuration.changed(base, plain)
  solved: dict[str, Any] = {}
  for key, value in given.items():
    if isinstance(value, Matched):
      if value.then in given:
        raise ConfigError(
          f"{value.then} cannot be solved for {key}: the cell has a value of its own"
        )
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


def _is_legal(base: Config, cell: Mapping[str, Any], is_possible: Callable[[Config], bool]) -> bool:
  try:
    return is_possible(configuration.changed(base, cell))
  except ConfigError:
    return False


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
