"""Where a cost that moves in steps along an axis comes nearest to a target.

Knows of no nets: of an axis it needs a start and a price.
"""

import itertools
import math
from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxnets.errors import ConfigError

STRIDE = 8.0  # an axis is followed by no more than this factor at once
REACH = STRIDE**6  # and no further than this factor in all
NO_CHANGE = 4.0  # a factor on the axis that changes no cost: it has reached its end
TRIES = 4096  # values that are asked for to find one that can be had
PROBES = 16  # values that are asked for where cost goes up and down

Value = int | float
Price = Callable[[Value], float]  # raises ConfigError for a value that cannot be had
Outcome = Literal["crossed", "end", "flat"]


class Search(NamedTuple):
  """What is known of an axis so far."""

  price: Price
  target: float
  enough: float  # relative error that needs no better one
  whole: bool  # the axis is of integers
  costs: dict[Value, float]
  refused: set[Value]

  def error(self, value: Value) -> float:
    """Relative and signed."""
    return self.costs[value] / self.target - 1


def begin(price: Price, start: Value, target: float, enough: float, axis: str = "") -> Search:
  """A search that knows the price of its start, or of the integer next to it that can be had.

  Args:
    price: of a value.
    start: a value.
    target: cost that is looked for.
    enough: relative error that needs no better one.
    axis: what an error is about if another integer would do.

  Raises:
    ConfigError: the start cannot be had, for another reason than its value, or no value can.
  """
  search = Search(price, target, enough, isinstance(start, int), {}, set())
  try:
    search.costs[start] = price(start)
  except ConfigError as error:
    search.refused.add(start)
    low, high = start / STRIDE, start * STRIDE
    if not search.whole or f"{axis} (" not in str(error):
      raise
    if _ask(search, low, high, start, 0) is None:
      raise
  return search


def bracket(search: Search, power: float) -> Outcome:
  """Follows the axis until it has crossed the target, or comes near enough.

  Args:
    search: is added to.
    power: how cost goes with the axis, until two values tell.

  Returns:
    crossed; end: all values cost less, or all more; flat: all cost the same.
  """
  costs, start = search.costs, next(iter(search.costs))
  while gap(search) is None and abs(search.error(best(search))) > search.enough:
    low, high = min(costs), max(costs)
    change = power if low == high else math.log(costs[high] / costs[low])
    if change == 0 and high / low >= STRIDE * NO_CHANGE:
      return "flat"
    if change:
      goes_up = (search.target > costs[low]) == (change > 0)
    else:  # one step of the staircase so far: to both sides in turn
      goes_up = high / start <= start / low
    end = high if goes_up else low
    value = _beyond(search, end, goes_up, power)
    if value is None and low == high:  # which way cost rises is not known yet
      value = _beyond(search, end, not goes_up, power)
    if value is None:
      return "end" if change else "flat"
    still = costs[value] == costs[end]
    if min(costs[value], costs[end]) > search.target:  # towards its floor cost falls less and less
      still = costs[value] > costs[end] * (1 - search.enough)
    # Of the first step one cannot tell whether it was along an end or an axis without influence.
    if change and still and low != high and max(value / end, end / value) >= NO_CHANGE:
      return "end"
    # Measured costs differ always a little.
    if max(costs) / min(costs) >= REACH and gap(search) is None:
      return "end"
  return "crossed"


def refine(search: Search, digits: tuple[int, ...]) -> None:
  """Narrows what `bracket` found to neighbours among the decimals of so many digits, in turn.

  By interpolating cost over the axis, both as logarithms; ends as soon as a value is near enough.
  """
  for number in (1,) if search.whole else digits:
    before = math.inf  # ratio of the ends, as a logarithm
    while (ends := gap(search)) and abs(search.error(best(search))) > search.enough:
      low, high = ends
      below, above = (math.log(search.costs[v] / search.target) for v in ends)
      wide = math.log(high / low)
      # Where interpolation creeps along a step, halving does not.
      share = below / (below - above) if wide <= before / 2 else 0.5
      before = wide
      wanted = low * (high / low) ** share
      if _ask(search, low, high, wanted, _places(search, low, number)) is None:
        break


def look_around(search: Search) -> None:
  """Prices integers around the two nearest, as cost goes up and down along some axes.

  Groups do so: channels are multiples of them. Halves, as logarithms, what lies between those two
  and the known values beside them, the widest first.
  """
  for _ in range(PROBES):
    nearest = sorted(search.costs, key=lambda value: abs(search.error(value)))[:2]
    if abs(search.error(nearest[0])) <= search.enough:
      return
    known = itertools.pairwise(sorted(search.costs))
    sides = [pair for pair in known if not {*nearest}.isdisjoint(pair)]
    sides.sort(key=lambda pair: pair[0] / pair[1])
    if all(_ask(search, *side, math.sqrt(math.prod(side)), 0) is None for side in sides):
      return


def gap(search: Search) -> tuple[Value, Value] | None:
  """The closest neighbours among the known values between whose costs the target lies."""
  known = sorted(search.costs)
  pairs = [
    (low, high)
    for low, high in itertools.pairwise(known)
    if (search.costs[low] <= search.target) != (search.costs[high] <= search.target)
  ]
  return min(pairs, key=lambda pair: pair[1] / pair[0], default=None)


def best(search: Search) -> Value:
  """The nearest to the target, and of those that are about equally near the shortest to write."""

  def rank(value: Value) -> tuple[int, int, float]:
    error = abs(search.error(value))
    return round(error / search.enough), len(repr(value)), error

  return min(search.costs, key=rank)


def _beyond(search: Search, end: Value, goes_up: bool, power: float) -> Value | None:
  """A value past the end of those known, where the target should be; None if there is none."""
  costs = search.costs
  inner = min((v for v in costs if v != end), key=lambda v: abs(v - end), default=None)
  if inner is not None:
    power = math.log(costs[end] / costs[inner]) / math.log(end / inner)
  step = math.log(STRIDE)
  if power:
    step = min(step, abs(math.log(search.target / costs[end]) / power))
  sign = 1 if goes_up else -1
  wanted, last = end * math.exp(sign * step), end * STRIDE**sign
  return _ask(search, end, last, wanted, _places(search, wanted, 2))


def _ask(search: Search, one: Value, other: Value, wanted: float, places: int) -> Value | None:
  """Prices the decimal nearest to `wanted` between two values; None if there is none to be had.

  Args:
    search: takes the price.
    one: an end, itself left out, as is the other.
    other: the other end.
    wanted: where to look first.
    places: digits after the point.
  """
  low, high = min(one, other), max(one, other)
  middle = round(wanted * 10.0**places)
  reach = math.ceil((high - low) * 10.0**places) + 1
  for offset in range(min(reach, TRIES)):
    for position in dict.fromkeys((middle + offset, middle - offset)):
      value = position if search.whole else float(f"{position}e{-places}")
      if not low < value < high or value in search.refused:
        continue
      try:
        search.costs[value] = search.price(value)
      except ConfigError:
        search.refused.add(value)
        continue
      return value
  return None


def _places(search: Search, value: float, digits: int) -> int:
  """Digits after the point that give a value so many significant ones."""
  return 0 if search.whole else digits - 1 - math.floor(math.log10(value))
