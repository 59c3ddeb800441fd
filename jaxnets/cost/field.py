"""What every value of a traced program sees of the image: receptive field, stride and padding.

The arithmetic is that of Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional
Neural Networks" (Distill, doi 10.23915/distill.00021), carried forward through any graph: where
paths meet, the field is the smallest that holds the field of each. It may reach over the borders
of the image, as in the literature. Through an operation that no rule is known for, a value sees
the whole image: a field may be too large and is never too small.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnets.cost.operation import Operation
from jaxnets.cost.program import Program

# Rounds of a loop that are followed one by one; what still changes after them is seen whole.
ROUNDS = 1000
# Operations whose results depend, index by index, on what they read.
ELEMENTWISE = frozenset({
  "abs", "acos", "acosh", "add", "add_any", "and", "asin", "asinh", "atan", "atan2", "atanh",
  "bitcast_convert_type", "cbrt", "ceil", "clamp", "clz", "complex", "conj",
  "convert_element_type", "copy", "copy_p", "cos", "cosh", "device_put", "digamma", "div", "eq",
  "erf", "erf_inv", "erfc", "exp", "exp2", "expm1", "floor", "ge", "gt", "imag", "integer_pow",
  "is_finite", "le", "lgamma", "log", "log1p", "logistic", "lt", "max", "mesh_cast", "min", "mul",
  "name", "ne", "neg", "nextafter", "not", "or", "pcast", "population_count", "pow", "pvary",
  "real", "reduce_precision", "rem", "reshard", "round", "rsqrt", "select_n",
  "sharding_constraint", "shift_left", "shift_right_arithmetic", "shift_right_logical", "sign",
  "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh", "xor",
})  # fmt: skip


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


class Move(NamedTuple):
  """An axis of what an operation gives, and where it reads along an axis of what it takes.

  Index i reads indices (step * i + low) / holes .. (step * i + high) / holes.
  """

  axis: int
  step: int = 1
  low: int = 0
  high: int = 0
  holes: int = 1  # where every holes-th index holds a value, and those between hold nothing


Shape = tuple[int, ...]
# A window for each axis of the image; None for an axis seen whole.
View = tuple[Window | None, ...]
# Of the values that an operation reads or gives; None for one that sees nothing.
Views = list[View | None]
# Where axes of what is read go; those left out are seen whole.
Moves = dict[int, Move]
# The moves from the value that is read at one place into the one given at another.
Rule = Callable[[Operation, int, int], Moves]


def find_fields(program: Program, image: int, axes: Shape = (1, 2)) -> dict[int, Field]:
  """Field of every value that depends on an image, by the value's number.

  Of a net with batch norm only a pass with `train=False` tells: in training every unit after a norm
  sees the whole image.

  Args:
    program: any, mostly of a forward pass.
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
  return Field(*zip(*sides, strict=True))


def _follow(program: Program, views: dict[int, View], whole: View) -> dict[int, View]:
  """The view of every value that depends on those of `views`; `whole` is that of all pixels."""
  views = dict(views)
  for operation in program.operations:
    given = [views.get(number) for number in operation.reads]
    if operation.name == "cond":
      # The trace tells neither what decides nor what the other branches would see.
      results = [whole] * len(operation.writes)
    elif not any(given):
      continue
    elif operation.name == "scan":
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
  for n in range(operation.rounds):
    reads = zip(body.inputs, (*fixed, *carry, *slices), strict=True)
    views = _follow(body, {number: view for number, view in reads if view}, whole)
    results = [views.get(number) for number in body.outputs]
    rows = [_shifted(view, 1) for view in results[carried:]]
    stacked = list(map(_joined, stacked, rows))
    after = results[:carried]
    if n >= ROUNDS:
      after = [c if _joined(c, a) == c else whole for c, a in zip(carry, after, strict=True)]
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


def _same_place(operation: Operation, read: int, write: int) -> Moves:
  """Axes of one size: all of an element-wise operation, those that a dynamic slice takes whole."""
  sizes = zip(operation.takes[read].shape, operation.gives[write].shape, strict=False)
  return {axis: Move(axis) for axis, (before, after) in enumerate(sizes) if before == after}


def _scattered(operation: Operation, read: int, write: int) -> Moves:
  return {} if read else _same_place(operation, read, write)


def _closing_up(operation: Operation, read: int, _: int) -> Moves:
  """Of reductions and the like: the axes that stay."""
  params = operation.params
  gone = next(params[name] for name in ("axes", "dimensions") if name in params)
  kept = [axis for axis in range(len(operation.takes[read].shape)) if axis not in gone]
  return {axis: Move(i) for i, axis in enumerate(kept)}


def _others(operation: Operation, read: int, _: int) -> Moves:
  """Of sorting and running sums: all axes but theirs."""
  params = operation.params
  own = params["axis"] if "axis" in params else params["dimension"]
  return {a: Move(a) for a in range(len(operation.takes[read].shape)) if a != own}


def _unstacked(operation: Operation, *_: int) -> Moves:
  own, rank = operation.params["axis"], len(operation.takes[0].shape)
  return {a: Move(a - (a > own)) for a in range(rank) if a != own}


def _stacked(operation: Operation, *_: int) -> Moves:
  own, rank = operation.params["axis"], len(operation.takes[0].shape)
  return {a: Move(a + (a >= own)) for a in range(rank)}


def _convolution(operation: Operation, read: int, _: int) -> Moves:
  params = operation.params
  if read or params["batch_group_count"] > 1:  # a kernel made of the image sees all of it
    return {}
  numbers, kernel = params["dimension_numbers"], operation.takes[1].shape
  moves = {numbers.lhs_spec[0]: Move(numbers.out_spec[0])}
  axes = zip(numbers.lhs_spec[2:], numbers.rhs_spec[2:], numbers.out_spec[2:], strict=True)
  for n, (i, k, o) in enumerate(axes):
    edge, reach = params["padding"][n][0], (kernel[k] - 1) * params["rhs_dilation"][n]
    stride, holes = params["window_strides"][n], params["lhs_dilation"][n]
    moves[i] = Move(o, stride, -edge, reach - edge, holes)
  return moves


def _pooling(operation: Operation, *_: int) -> Moves:
  names = ("window_strides", "padding", "window_dimensions", "window_dilation", "base_dilation")
  axes = zip(*(operation.params[name] for name in names), strict=True)
  return {
    axis: Move(axis, stride, -edge, (side - 1) * spread - edge, holes)
    for axis, (stride, (edge, _), side, spread, holes) in enumerate(axes)
  }


def _padded(operation: Operation, *_: int) -> Moves:
  config = enumerate(operation.params["padding_config"])
  return {axis: Move(axis, 1, -low, -low, holes + 1) for axis, (low, _, holes) in config}


def _sliced(operation: Operation, *_: int) -> Moves:
  starts = operation.params["start_indices"]
  steps = operation.params["strides"] or (1,) * len(starts)
  return {a: Move(a, step, s, s) for a, (s, step) in enumerate(zip(starts, steps, strict=True))}


def _split(operation: Operation, read: int, write: int) -> Moves:
  axis, start = operation.params["axis"], int(sum(operation.params["sizes"][:write]))
  return _others(operation, read, write) | {axis: Move(axis, 1, start, start)}


def _mirrored(operation: Operation, read: int, write: int) -> Moves:
  mirrored, shape = operation.params["dimensions"], operation.takes[read].shape
  moves = {a: Move(a, -1, shape[a] - 1, shape[a] - 1) for a in mirrored}
  return _same_place(operation, read, write) | moves


def _transposed(operation: Operation, *_: int) -> Moves:
  return {axis: Move(i) for i, axis in enumerate(operation.params["permutation"])}


def _broadcast(operation: Operation, *_: int) -> Moves:
  """All but axes of one value that is repeated."""
  before, after = operation.takes[0].shape, operation.gives[0].shape
  places = enumerate(operation.params["broadcast_dimensions"])
  return {axis: Move(i) for axis, i in places if before[axis] == after[i]}


def _product(operation: Operation, read: int, _: int) -> Moves:
  """All but the contracted axes: those of the batch, then of the left, then of the right."""
  contracted, batch = operation.params["dimension_numbers"]
  free = [
    [a for a in range(len(operation.takes[i].shape)) if a not in (*contracted[i], *batch[i])]
    for i in (0, 1)
  ]
  start = len(batch[0]) + (len(free[0]) if read else 0)
  moves = {axis: Move(i) for i, axis in enumerate(batch[read])}
  return moves | {axis: Move(i) for i, axis in enumerate(free[read], start)}


def _gathered(operation: Operation, read: int, _: int) -> Moves:
  """Axes of which every slice takes all."""
  numbers, sizes = operation.params["dimension_numbers"], operation.params["slice_sizes"]
  gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
  kept = [axis for axis in range(len(sizes)) if axis not in gone]
  places = [] if read else zip(kept, numbers.offset_dims, strict=True)
  return {a: Move(i) for a, i in places if sizes[a] == operation.takes[0].shape[a]}


# By name. What takes several values together is a function of their views.
JOINT: dict[str, Callable[[Operation, Views], Views]] = {
  "concatenate": _concatenated,
  "optimization_barrier": lambda _, given: given,
  "reshape": _reshaped,
}
RULES: dict[str, Rule] = {
  name: rule
  for rule, names in {
    _broadcast: ("broadcast_in_dim",),
    _closing_up: (
      "argmax", "argmin", "reduce", "reduce_and", "reduce_max", "reduce_min", "reduce_or",
      "reduce_prod", "reduce_sum", "reduce_xor", "squeeze",
    ),
    _convolution: ("conv_general_dilated",),
    _gathered: ("gather",),
    _mirrored: ("rev",),
    _others: ("cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum", "sort", "top_k"),
    _padded: ("pad",),
    _pooling: ("reduce_window", "reduce_window_max", "reduce_window_min", "reduce_window_sum"),
    _product: ("dot_general",),
    _same_place: (*ELEMENTWISE, "dynamic_slice", "dynamic_update_slice", "tile"),
    _scattered: (
      "scatter", "scatter-add", "scatter-max", "scatter-min", "scatter-mul", "scatter-sub",
    ),
    _sliced: ("slice",),
    _split: ("split",),
    _stacked: ("stack",),
    _transposed: ("transpose",),
    _unstacked: ("unstack",),
  }.items()
  for name in names
}  # fmt: skip
