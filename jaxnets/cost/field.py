"""What every value of a traced program sees of the image: receptive field, stride and padding.

The arithmetic is that of Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional
Neural Networks" (Distill, doi 10.23915/distill.00021), carried forward through any graph: where
paths meet, the field is the smallest that holds the field of each. It may reach over the borders
of the image, as in the literature. Through an operation that no rule is known for, a value sees
the whole image: a field may be too large and is never too small. A choice is an exception: its
result sees what that of the branch in the program sees, the dearest, and not what decides.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnets.cost.moves import RULES, Move, Moves
from jaxnets.cost.operation import Operation
from jaxnets.cost.program import Program

# Rounds of a loop that are followed one by one; what still changes after them is seen whole.
ROUNDS = 1000


class Field(NamedTuple):
  """What a value sees of the image: a number for each axis of the image.

  Index i of the value sees pixels stride * i - padding .. stride * i - padding + size - 1.
  """

  size: tuple[int, ...]  # pixels
  stride: tuple[int, ...]  # pixels; 0 along an axis seen whole, negative along one mirrored
  padding: tuple[int, ...]  # pixels from the start of the window of index 0 to pixel 0

  @property
  def whole(self) -> bool:
    """Whether every index sees the whole image, as after global pooling."""
    return not any(self.stride)

  @property
  def text(self) -> str:
    """ "483", "11x7", "image"."""
    if self.whole:
      return "image"
    return "x".join(map(str, self.size if len(set(self.size)) > 1 else self.size[:1]))


class Window(NamedTuple):
  """What a value sees along one axis of the image: pixels that move along one axis of the value.

  Index i of that axis sees pixels stride * k + first .. stride * k + last. There k is i, or, while
  a reshape has merged the axis with others, i // inner % count: an axis of `count` indices is not.
  """

  image_axis: int
  axis: int
  stride: int
  first: int
  last: int
  count: int
  inner: int = 1


Shape = tuple[int, ...]
# A window for each axis of the image; None for an axis seen whole.
View = tuple[Window | None, ...]
# Of the values that an operation reads or gives; None for one that sees nothing.
Views = list[View | None]


def find_fields(program: Program, image: int, axes: Shape = (1, 2)) -> dict[int, Field]:
  """Field of every value that depends on an image, by the value's number.

  Of a net with batch norm only a pass with `train=False` tells: in training every unit after a norm
  sees the whole image.

  Args:
    program: any, mostly of a forward pass; in the common form, not that of a platform, where
      kernels are seen through only if they are written out.
    image: number of the input that is the image, [batch, height, width, channels] by default.
    axes: of the image that are pixels; a field has a number for each.

  Raises:
    ValueError: `image` is no input of the program or lacks one of `axes`.
  """
  if image not in program.inputs:
    raise ValueError(f"image (={image}) must be an input of the program\nIts: {program.inputs}")
  shape = program.values[image].shape
  if not axes or not set(axes) <= set(range(len(shape))):
    raise ValueError(f"axes (={axes}) must be axes of the image\nIts shape is {shape}")
  pixels = tuple(shape[axis] for axis in axes)
  start = tuple(Window(axis, axis, 1, 0, 0, shape[axis]) for axis in axes)
  views = _follow(program, {image: start}, (None,) * len(axes))
  return {n: _field(view, program.values[n].shape, pixels) for n, view in views.items()}


def _field(view: View, shape: Shape, pixels: Shape) -> Field:
  """Along a merged axis a window has no place, and no stride: it counts as whole."""
  sides = [
    (w.last - w.first + 1, w.stride, -w.first)
    if w is not None and w.count == shape[w.axis]
    else (whole, 0, 0)
    for w, whole in zip(view, pixels, strict=True)
  ]
  # A trace may hold numbers of NumPy.
  return Field(*(tuple(map(int, side)) for side in zip(*sides, strict=True)))


def _follow(program: Program, views: dict[int, View], whole: View) -> dict[int, View]:
  """The view of every value that depends on those of `views`; `whole` is that of all pixels."""
  views = dict(views)
  for operation in program.operations:
    given = [views.get(number) for number in operation.reads]
    if not any(given):
      continue
    if operation.name == "scan":
      results = _scanned(operation, given, whole)
    else:
      results = JOINT.get(operation.name, _apart)(operation, given)
    views |= {n: view for n, view in zip(operation.writes, results, strict=True) if view}
  return views


def _scanned(operation: Operation, given: Views, whole: View) -> Views:
  """Round by round, until nothing changes."""
  body, constants = operation.body, operation.params["num_consts"]
  carried = operation.params["num_carry"]
  fixed, carry = given[:constants], given[constants : constants + carried]
  slices = [_shifted(view, -1) for view in given[constants + carried :]]
  stacked: Views = [None] * (len(operation.writes) - carried)
  for n in range(operation.rounds or 0):
    reads = zip(body.inputs, (*fixed, *carry, *slices), strict=True)
    views = _follow(body, {number: view for number, view in reads if view}, whole)
    results = [views.get(number) for number in body.outputs]
    rows = [_shifted(view, 1) for view in results[carried:]]
    stacked = list(map(_joined, stacked, rows))
    after = results[:carried]
    if n >= ROUNDS:
      after = [c if a == c else whole for c, a in zip(carry, after, strict=True)]
    if after == carry:
      break
    carry = after
  return carry + stacked


def _shifted(view: View | None, by: int) -> View | None:
  """Among more or fewer axes in front; an axis that goes is seen whole."""
  if view is None:
    return None
  return tuple(w._replace(axis=w.axis + by) if w and w.axis + by >= 0 else None for w in view)


def _apart(operation: Operation, given: Views) -> Views:
  """By the operation's rule; through an unknown one everything is seen whole."""
  rule = RULES.get(operation.name, lambda *_: {})
  return [
    functools.reduce(
      _joined,
      (
        _carried(view, rule(operation, read, write), operation.takes[read], out)
        for read, view in enumerate(given)
        if view
      ),
    )
    for write, out in enumerate(operation.gives)
  ]


def _carried(view: View, moves: Moves, taken: Any, out: Any) -> View:
  return tuple(
    None
    if w is None or w.axis not in moves
    else _moved(w, moves[w.axis], taken.shape[w.axis], out.shape[moves[w.axis].axis])
    for w in view
  )


def _moved(window: Window, move: Move, before: int, after: int) -> Window | None:
  """A window after a move; `before` and `after` are the sizes of the axis.

  Over holes the window is the smallest that moves evenly and holds what each index sees: exact
  where its ends meet values, elsewhere too large by less than a stride.
  """
  if move == Move(move.axis) and before == after:
    return window._replace(axis=move.axis)
  if window.count != before or window.stride % move.holes:
    return None
  stride = window.stride // move.holes
  low, high = sorted((stride * move.low, stride * move.high))
  first, last = window.first + low, window.last + high
  return Window(window.image_axis, move.axis, stride * move.step, first, last, after)


def _joined(one: View | None, other: View | None) -> View | None:
  if one is None or other is None:
    return other if one is None else one
  return tuple(map(_union, one, other))


def _union(one: Window | None, other: Window | None) -> Window | None:
  """The smallest window that holds both; None where they do not move alike."""
  if one is None or other is None:
    return None
  first, last = min(one.first, other.first), max(one.last, other.last)
  one, other = (w._replace(first=first, last=last) for w in (one, other))
  return one if one == other else None


def _passed_on(operation: Operation, given: Views) -> Views:
  return given[: len(operation.writes)]


def _concatenated(operation: Operation, given: Views) -> Views:
  """Windows must line up along the axis that they move along, as those of two halves do."""
  axis, out, start = operation.params["dimension"], operation.gives[0], 0
  pieces: list[View] = []
  for view, piece in zip(given, operation.takes, strict=True):
    moves = {a: Move(a) for a in range(len(out.shape))} | {axis: Move(axis, 1, -start, -start)}
    start += piece.shape[axis]
    if view and piece.size:
      pieces.append(_carried(view, moves, piece, out))

  def lines_up(n: int) -> bool:
    windows = {piece[n] for piece in pieces}
    return len(windows) == 1 or all(w is not None and w.axis != axis for w in windows)

  joined = functools.reduce(_joined, pieces, None)
  return [joined and tuple(w if lines_up(n) else None for n, w in enumerate(joined))]


def _reshaped(operation: Operation, given: Views) -> Views:
  before, after = operation.takes[0].shape, operation.gives[0].shape
  return [tuple(_regrouped(w, before, after) for w in given[0] or ())]


def _regrouped(window: Window | None, before: Shape, after: Shape) -> Window | None:
  """A window after a reshape, which leaves every value at its place in row-major order.

  Axes may be merged and taken apart again, as batch norm does. Of an axis that is split the window
  stays with the first part, and sees what all of the others see.
  """
  if window is None or 0 in before:
    return None
  inner = window.inner * math.prod(before[window.axis + 1 :])  # values from one index to the next
  steps = [math.prod(after[axis + 1 :]) for axis in range(len(after))]
  home, count = window.image_axis, window.count
  if count == 1:
    # One pixel fits anywhere: back where the image has its axis, else out of the way.
    if home < len(after) and (after[home], steps[home]) == (1, inner):
      return window._replace(axis=home, inner=1)
    return window._replace(axis=len(after) - 1, inner=inner) if after else None
  for axis, (size, step) in enumerate(zip(after, steps, strict=True)):
    if inner % step == 0 and size % (inner // step * count) == 0:
      return window._replace(axis=axis, inner=inner // step)
    parts = step // inner
    splits = step % inner == 0 and 1 < parts < count and count % parts == 0
    if splits and size % (count // parts) == 0:
      return _moved(window, Move(axis, parts, 0, parts - 1), count, count // parts)
  return None


# What takes several values together, by name: a function of their views.
JOINT: dict[str, Callable[[Operation, Views], Views]] = {
  "concatenate": _concatenated,
  "cond": _passed_on,
  "optimization_barrier": _passed_on,
  "reshape": _reshaped,
}
