"""Nets of equal cost: the value of an axis at which a net costs what another does.

    target = cost_of("cifar_resnet56", "macs")
    match("cifar_plain20", macs=target).fields       # {"width": 1.77}
    match("cifar_resnet20", "depth", macs=target, then="width").fields

Channels are whole numbers, so cost is a staircase in width, with the coarser steps the narrower the
net; what lies between two steps no width can give.
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax

from jaxnets import nets
from jaxnets.cost import staircase
from jaxnets.cost.net import count_net, shapes_of
from jaxnets.cost.staircase import Search, Value
from jaxnets.cost.timing import time_steps
from jaxnets.errors import ConfigError, did_you_mean

QUANTITIES = ("macs", "params", "activations", "seconds")
TOLERANCE = 0.01
SECONDS_TOLERANCE = 0.1  # medians of a few steps repeat to some percent only
# Of how many digits a value may be: more only where fewer give nothing within the tolerance.
DIGITS, MORE_DIGITS, SECONDS_DIGITS = (2, 3, 4), (5, 6), (2, 3)
NUDGES = (1.03, 0.97, 1.06, 0.94, 1.1, 0.9)  # factors on one of two axes
# How a cost goes with width: products of two widths, and single ones; step time is in between.
POWERS = {"macs": 2.0, "params": 2.0, "activations": 1.0, "seconds": 1.5}


class Match(NamedTuple):
  """A net that costs what it should."""

  net: str
  axis: str
  value: Value  # of the axis
  fields: dict[str, Any]  # all axes, those given and those solved: nets.build(net, **fields)
  cost: float  # of the net with these fields
  target: float
  error: float  # cost / target - 1


def match(
  net: str,
  axis: str = "width",
  *,
  macs: float | None = None,
  params: float | None = None,
  activations: float | None = None,
  seconds: float | None = None,
  tolerance: float | None = None,
  then: str = "",
  image_size: int | None = None,
  channels: int = 3,
  classes: int | None = None,
  batch: int = 32,
  **fields: Any,
) -> Match:
  """The value of an axis at which a net has a target cost, of which exactly one is given.

  Coarse decimals come first: of values as near as a tenth of the tolerance the shortest is taken,
  0.81 and not 0.81298828125. An axis of integers takes those that the family accepts. Some ten nets
  are traced; for seconds they are compiled and run.

  Args:
    net: a name of `nets.VARIANTS`.
    axis: one that is a number: width, hidden, depth, bottleneck, stem_width, groups, kernel, ...
    macs: multiply-adds of one image at inference, as `Cost.macs`.
    params: learned values, those of auxiliary heads too.
    activations: of one image at inference, as `Cost.activations`.
    seconds: median time, here, of the gradient of the mean softmax cross entropy of a batch.
    tolerance: largest relative error; when None a hundredth, and a tenth for seconds.
    then: a second axis, which closes the gap that the first leaves, up to 50 nets more.
    image_size: px; the published one when None.
    channels: of the images.
    classes: the published number when None.
    batch: images in a step, for seconds.
    **fields: other axes of the net.

  Raises:
    ConfigError: not one target, an axis that is no number, or no value within the tolerance: the
      steps are too coarse, the target is out of range, or the axis does not influence this cost.
  """
  given = {"macs": macs, "params": params, "activations": activations, "seconds": seconds}
  quantity, target = _one_target(given)
  timed = quantity == "seconds"
  if tolerance is None:
    tolerance = SECONDS_TOLERANCE if timed else TOLERANCE
  if not 0 < tolerance < 1:
    raise ConfigError(
      f"tolerance (={tolerance}) must be above 0 and below 1\nGive {TOLERANCE} for 1 %"
    )
  if then == axis:
    raise ConfigError(f"then (={then!r}) must be another axis than the first\nLeave it out")
  values = fields | {name: _start(net, name, fields) for name in (axis, then) if name}
  facts = {"image_size": image_size, "channels": channels, "classes": classes, "batch": batch}

  def solve(name: str, others: dict[str, Any]) -> tuple[Search, staircase.Outcome]:
    def price(value: Value) -> float:
      arguments: dict[str, Any] = facts | others | {name: value}
      return cost_of(net, quantity, **arguments)

    enough = tolerance if timed else tolerance / 10
    search = staircase.begin(price, others[name], target, enough, f"net.{name}")
    outcome = staircase.bracket(search, POWERS[quantity] if name == "width" else 1.0)
    if outcome == "crossed":
      staircase.refine(search, SECONDS_DIGITS if timed else DIGITS)
      if not timed and abs(search.error(staircase.best(search))) > tolerance:
        staircase.refine(search, MORE_DIGITS)
    if search.whole and abs(search.error(staircase.best(search))) > tolerance:
      staircase.look_around(search)
      if staircase.gap(search):
        outcome = "crossed"
        staircase.refine(search, DIGITS)
    return search, outcome

  search, outcome = solve(axis, values)
  nearest = _matched(net, axis, axis, values, search)
  if abs(nearest.error) <= tolerance:
    return nearest
  failure = _explain(search, outcome, net, axis, quantity, tolerance)
  if then:
    for name, others in _second_tries(axis, then, nearest.fields):
      with contextlib.suppress(ConfigError):  # a nudged value that the net does not take
        found = _matched(net, axis, name, others, solve(name, others)[0])
        nearest = min(nearest, found, key=lambda one: abs(one.error))
      if abs(nearest.error) <= tolerance:
        return nearest
    failure = _explain_both(nearest, then, quantity, tolerance)
  raise ConfigError(failure)


def cost_of(
  net: str,
  quantity: str = "macs",
  *,
  image_size: int | None = None,
  channels: int = 3,
  classes: int | None = None,
  batch: int = 32,
  **fields: Any,
) -> float:
  """What `match` compares: macs, params, activations or seconds of a net; see there.

  Raises:
    ConfigError: no such quantity, net or axis, or a value that the net cannot take.
  """
  if quantity not in QUANTITIES:
    raise ConfigError(f"quantity (={quantity!r}) must be one of {', '.join(QUANTITIES)}")
  built = nets.build(net, classes=classes, **fields)
  side = image_size or nets.variant(net).image_size
  if quantity == "seconds":
    return _seconds(built, (batch, side, side, channels))
  shapes = shapes_of(built, side, channels)
  if quantity == "params":
    return nets.count_parameters(shapes[0])
  return getattr(count_net(built, shapes, side, channels), quantity)


def _seconds(net: nets.Net, shape: tuple[int, ...]) -> float:
  """Median time of a compiled value_and_grad of the training loss."""
  key = jax.random.key(0)
  params, stats = net.init(key, shape)
  images = jax.random.normal(key, shape)

  def loss(params, stats, images):
    output = net.apply(params, stats, images, train=True, key=key)
    # What the labels are costs nothing: class 0 for all.
    losses = [-jax.nn.log_softmax(x)[:, 0].mean() for x in (output.logits, *output.aux)]
    return losses[0] + net.aux_weight * sum(losses[1:])

  step = jax.jit(jax.value_and_grad(loss))
  return time_steps(lambda: step(params, stats, images), steps=5, warmup=2).measured_seconds


def _second_tries(
  axis: str, then: str, values: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
  """What to solve, given which values: the second axis; then the finer with the other nudged.

  A nudge moves the steps of the staircase, so that one covers the gap of another.
  """
  yield then, values
  moved, finer = (axis, then) if isinstance(values[axis], int) else (then, axis)
  for factor in NUDGES:
    value = values[moved] * factor
    nudged = round(value) if isinstance(values[moved], int) else float(f"{value:.3g}")
    yield finer, values | {moved: nudged}


def _matched(net: str, axis: str, name: str, others: dict[str, Any], search: Search) -> Match:
  """The nearest that a search along the axis `name` has found."""
  value = staircase.best(search)
  fields = others | {name: value}
  cost, error = search.costs[value], search.error(value)
  return Match(net, axis, fields[axis], fields, cost, search.target, error)


def _one_target(given: dict[str, float | None]) -> tuple[str, float]:
  targets = {name: value for name, value in given.items() if value is not None}
  if len(targets) != 1:
    raise ConfigError(
      f"exactly one of {', '.join(given)} must be given, got {', '.join(targets) or 'none'}\n"
      "For example macs=125e6, or what cost_of gives of another net"
    )
  ((quantity, target),) = targets.items()
  if not 0 < target < math.inf:
    raise ConfigError(
      f"{quantity} (={target}) must be above 0 and finite\nGive what cost_of gives of another net"
    )
  return quantity, target


def _start(net: str, axis: str, fields: dict[str, Any]) -> Value:
  """The net's own value of an axis, from which it is followed."""
  axes = nets.axes(net)
  numbers = [name for name, value in axes.items() if type(value) in (int, float)]
  if axis not in numbers:
    raise ConfigError(
      f'net "{net}" has no axis "{axis}" that is a number.{did_you_mean(axis, numbers)}\n'
      f"Those that are: {', '.join(numbers)}"
    )
  if axis in fields:
    raise ConfigError(
      f"net.{axis} (={fields[axis]!r}) is given and is to be solved for\n"
      "Leave it out, or solve another axis"
    )
  # Steps are factors, which lead nowhere from 0.
  return axes[axis] or (1 if isinstance(axes[axis], int) else 0.5)


def _explain(
  search: Search,
  outcome: staircase.Outcome,
  net: str,
  axis: str,
  quantity: str,
  tolerance: float,
) -> str:
  """The two lines of the error for an axis that gives nothing within the tolerance."""

  def said(value: Value) -> str:
    cost = search.costs[value]
    shortest = min((v for v in search.costs if search.costs[v] == cost), key=lambda v: len(repr(v)))
    return f"{_number(cost, quantity)} at {shortest}"

  wanted = f"net.{axis} of {net} cannot give {_priced(search.target, quantity)}"
  by_cost = sorted(search.costs, key=lambda value: search.costs[value])
  first, last = by_cost[0], by_cost[-1]
  if outcome == "flat":
    return (
      f"{wanted}: it has no influence, there are {_number(search.costs[first], quantity)} at "
      f"{min(by_cost)} and at {max(by_cost)}\nSolve an axis that has, such as width"
    )
  if outcome == "end":
    which, extreme = ("most", last) if search.error(first) < 0 else ("least", first)
    ends = [search.costs[value] for value in (min(search.costs), max(search.costs))]
    if (
      search.costs[extreme] not in ends
    ):  # cost goes up and down, and not all values were asked for
      which += " found"
    return f"{wanted}: the {which} is {said(extreme)}\nSolve another axis, or mend the target"
  over = next(v for v in by_cost if search.error(v) > 0)
  under = by_cost[by_cost.index(over) - 1]
  nearest = min(search.error(under), search.error(over), key=abs)
  second = "bottleneck" if axis == "width" and "bottleneck" in nets.axes(net) else "width"
  also = "" if axis == second else f', or a second axis: then="{second}"'
  return (
    f"{wanted} within {tolerance:.2g}, its steps are coarser: {said(under)} "
    f"({search.error(under):+.2%}), {said(over)} ({search.error(over):+.2%})\n"
    f"{_wider(nearest)}{also}"
  )


def _explain_both(nearest: Match, then: str, quantity: str, tolerance: float) -> str:
  """The two lines of the error for two axes that together give nothing within the tolerance."""
  found = " and ".join(f"{name}={nearest.fields[name]}" for name in (nearest.axis, then))
  return (
    f"net.{nearest.axis} and net.{then} of {nearest.net} cannot give "
    f"{_priced(nearest.target, quantity)} within {tolerance:.2g}: the nearest is "
    f"{_number(nearest.cost, quantity)} at {found} ({nearest.error:+.2%})\n"
    f"{_wider(nearest.error)}, or solve another second axis"
  )


def _priced(cost: float, quantity: str) -> str:
  """ "40,551,040 MACs"."""
  return f"{_number(cost, quantity)} {quantity.replace('macs', 'MACs')}"


def _number(cost: float, quantity: str) -> str:
  return f"{cost:.3g}" if quantity == "seconds" else f"{round(cost):,}"


def _wider(error: float) -> str:
  """Asks for the next tolerance, in tenths of a percent, where there is one."""
  tolerance = math.ceil(abs(error) * 1000) / 1000
  return f"Give tolerance={tolerance:g}" if tolerance < 1 else "Mend the target"
