"""What every value of a traced program sees of the image: receptive field, stride and padding.

The arithmetic is that of Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional
Neural Networks" (Distill, doi 10.23915/distill.00021), carried forward through any graph: where
paths meet, the field is the smallest that holds the field of each. A field may reach over the
borders of the image, as in the literature. What no rule is known for sees the whole image, so that
a field may be too large and is never too small.
"""

import functools
import math
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

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
  "name", "ne", "neg", "nextafter", "not", "or", "pcast", "polygamma", "population_count", "pow",
  "pvary", "real", "reduce_precision", "rem", "reshard", "round", "rsqrt", "select_n",
  "sharding_constraint", "shift_left", "shift_right_arithmetic", "shift_right_logical", "sign",
  "sin", "sinh", "sqrt", "square", "stop_gradient", "sub", "tan", "tanh", "xor", "zeta",
})  # fmt: skip


class Field(NamedTuple):
  """What a value sees of the image, a number for each axis of the image.

  Index i of the value sees pixels stride * i - padding .. stride * i - padding + size - 1.
  """

  size: tuple[int, ...]  # pixels
  stride: tuple[int, ...]  # pixels; 0 along an axis seen whole, negative along one mirrored
  padding: tuple[int, ...]  # pixels from the start of the first index's window to pixel 0

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
  """What a value sees along one axis of the image, where it moves along one axis of the value.

  Index i of that axis sees pixels stride * k + first .. stride * k + last, where k = i, or, while
  the axis is merged with others, k = i // inner % count.
  """

  image_axis: int
  axis: int
  stride: int
  first: int
  last: int
  count: int
  inner: int = 1

  def moves_along(self, size: int) -> bool:
    """Whether k is the index of an axis of this size, which is not merged with others."""
    return self.inner == 1 and self.count == size


# Sizes of axes, or of the image.
Shape = tuple[int, ...]
# A window for each axis of the image, None for an axis seen whole.
View = tuple[Window | None, ...]
# Views of the values that an operation reads or gives; None for one that sees nothing.
Given = list[View | None]


class Move(NamedTuple):
  """An axis of what an operation gives, and what it reads along an axis of what it takes.

  Index i reads indices (step * i + low) / holes .. (step * i + high) / holes.
  """

  axis: int
  step: int = 1
  low: int = 0
  high: int = 0
  holes: int = 1  # above 1: indices of which each holes-th holds a value, the others nothing


# Axes of what is read and how they move; those left out are seen whole.
Moves = dict[int, Move]


def find_fields(program: Program, image: int, axes: tuple[int, ...] = (1, 2)) -> dict[int, Field]:
  """Field of every value that depends on an image, by the value's number.

  Batch norm in training sees the whole image; a pass with `train=False` is what to trace.

  Args:
    program: any, mostly of a forward pass.
    image: number of the input that is the image, [batch, height, width, channels] by default.
    axes: of the image that are pixels; a field has a number for each.

  Raises:
    ValueError: `image` is no input of the program or lacks one of `axes`.
  """
  if image not in program.inputs:
    raise ValueError(f"image (={image}) must be one of the program's inputs\n{program.inputs}")
  shape = program.values[image].shape
  if not all(0 <= axis < len(shape) for axis in axes):
    raise ValueError(f"axes (={axes}) must be axes of the image\nIts shape is {shape}")
  start = tuple(Window(axis, axis, 1, 0, 0, shape[axis]) for axis in axes)
  views = _follow(program, {image: start}, tuple(shape[axis] for axis in axes))
  pixels = [shape[axis] for axis in axes]
  return {n: _field(view, program.values[n].shape, pixels) for n, view in views.items()}


def _field(view: View, shape: Shape, pixels: Shape) -> Field:
  """Of what is merged the window has no place on an axis: it counts as whole."""
  sides = [
    (w.last - w.first + 1, w.stride, -w.first)
    if w is not None and w.moves_along(shape[w.axis])
    else (whole, 0, 0)
    for w, whole in zip(view, pixels, strict=True)
  ]
  return Field(*zip(*sides, strict=True))


def _follow(program: Program, views: dict[int, View], pixels: Shape) -> dict[int, View]:
  """The view of every value that depends on one of `views`; `pixels` is the image's size."""
  views = dict(views)
  for operation in program.operations:
    given = [views.get(number) for number in operation.reads]
    if operation.name == "cond":
      # The trace tells neither what decides nor what the other branches would see.
      results = [(None,) * len(pixels)] * len(operation.writes)
    elif not any(given):
      continue
    else:
      results = JOINT.get(operation.name, _apart)(operation, given, pixels)
    views |= {n: view for n, view in zip(operation.writes, results, strict=True) if view}
  return views


def _apart(operation: Operation, given: Given, pixels: object) -> Given:
  """By the rule of the operation, which tells of each axis that is read how it moves."""
  del pixels
  rule = _same_place if operation.name in ELEMENTWISE else RULES.get(operation.name, _unknown)
  results: Given = []
  for write, out in enumerate(operation.gives):
    result = None
    for read, view in enumerate(given):
      moves = rule(operation, read, write) if view else None
      if view and moves is not None:
        result = _joined(result, _carried(view, moves, operation.takes[read], out))
    results.append(result)
  return results


def _carried(view: View, moves: Moves, taken: Any, out: Any) -> View:
  return tuple(
    None
    if w is None or w.axis not in moves
    else _moved(w, moves[w.axis], taken.shape[w.axis], out.shape[moves[w.axis].axis])
    for w in view
  )


def _moved(window: Window, move: Move, before: int, after: int) -> Window | None:
  """A window after a move; `before` and `after` are the sizes of the axis.

  Between holes the smallest window that fits every index is the one given: it is exact where an
  end meets a value, and else too large by less than its stride.
  """
  if move == Move(move.axis) and before == after:
    return window._replace(axis=move.axis)
  if not window.moves_along(before) or window.stride % move.holes:
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
  """The smallest window that holds both, None where they do not move alike."""
  if one is None or other is None:
    return None
  first, last = min(one.first, other.first), max(one.last, other.last)
  one, other = (w._replace(first=first, last=last) for w in (one, other))
  return one if one == other else None


def _unknown(operation: Operation, read: int, write: int) -> Moves:
  del operation, read, write
  return {}


def _same_place(operation: Operation, read: int, write: int) -> Moves:
  """Axes of one size: of element-wise operations all, of a dynamic slice those taken whole."""
  sizes = zip(operation.takes[read].shape, operation.gives[write].shape, strict=False)
  return {axis: Move(axis) for axis, (before, after) in enumerate(sizes) if before == after}


def _one_to_one(operation: Operation, read: int, write: int) -> Moves | None:
  """What is read at one place is given at the same; None: nothing of it is given here."""
  return _same_place(operation, read, write) if read == write else None


def _scattered(operation: Operation, read: int, write: int) -> Moves:
  return _same_place(operation, read, write) if read == 0 else {}


def _kept(operation: Operation, read: int, write: int) -> Moves:
  """Reductions and squeeze: the other axes close up."""
  del write
  params = operation.params
  gone = params["axes"] if "axes" in params else params["dimensions"]
  rest = [axis for axis in range(len(operation.takes[read].shape)) if axis not in gone]
  return {axis: Move(i) for i, axis in enumerate(rest)}


def _mixed(operation: Operation, read: int, write: int) -> Moves:
  """Sorting and running sums: all along their axis may depend on all along it."""
  del write
  params = operation.params
  mixed = params["axis"] if "axis" in params else params["dimension"]
  return {a: Move(a) for a in range(len(operation.takes[read].shape)) if a != mixed}


def _convolution(operation: Operation, read: int, write: int) -> Moves:
  del write
  params = operation.params
  if read or params["batch_group_count"] > 1:  # kernels made of the image
    return {}
  numbers, kernel = params["dimension_numbers"], operation.takes[1].shape
  moves = {numbers.lhs_spec[0]: Move(numbers.out_spec[0])}
  axes = zip(numbers.lhs_spec[2:], numbers.rhs_spec[2:], numbers.out_spec[2:], strict=True)
  for n, (i, k, o) in enumerate(axes):
    low, reach = -params["padding"][n][0], (kernel[k] - 1) * params["rhs_dilation"][n]
    stride, holes = params["window_strides"][n], params["lhs_dilation"][n]
    moves[i] = Move(o, stride, low, low + reach, holes)
  return moves


def _pooling(operation: Operation, read: int, write: int) -> Moves:
  del read, write
  names = ("window_strides", "padding", "window_dimensions", "window_dilation", "base_dilation")
  axes = zip(*(operation.params[name] for name in names), strict=True)
  return {
    a: Move(a, stride, -edge, -edge + (side - 1) * spread, holes)
    for a, (stride, (edge, _), side, spread, holes) in enumerate(axes)
  }


def _padded(operation: Operation, read: int, write: int) -> Moves:
  del read, write
  config = operation.params["padding_config"]
  return {a: Move(a, 1, -low, -low, holes + 1) for a, (low, _, holes) in enumerate(config)}


def _sliced(operation: Operation, read: int, write: int) -> Moves:
  del read, write
  starts = operation.params["start_indices"]
  steps = operation.params["strides"] or (1,) * len(starts)
  return {a: Move(a, step, s, s) for a, (s, step) in enumerate(zip(starts, steps, strict=True))}


def _split(operation: Operation, read: int, write: int) -> Moves:
  del read
  axis, start = operation.params["axis"], int(sum(operation.params["sizes"][:write]))
  moves = {a: Move(a) for a in range(len(operation.takes[0].shape))}
  return moves | {axis: Move(axis, 1, start, start)}


def _mirrored(operation: Operation, read: int, write: int) -> Moves:
  mirrored, shape = operation.params["dimensions"], operation.takes[read].shape
  moves = {a: Move(a, -1, shape[a] - 1, shape[a] - 1) for a in mirrored}
  return _same_place(operation, read, write) | moves


def _transposed(operation: Operation, read: int, write: int) -> Moves:
  del read, write
  return {axis: Move(i) for i, axis in enumerate(operation.params["permutation"])}


def _broadcast(operation: Operation, read: int, write: int) -> Moves:
  """Axes of one pixel that are repeated are seen whole."""
  before, after = operation.takes[read].shape, operation.gives[write].shape
  places = enumerate(operation.params["broadcast_dimensions"])
  return {axis: Move(i) for axis, i in places if not read and before[axis] == after[i]}


def _product(operation: Operation, read: int, write: int) -> Moves:
  """Axes of the batch, then free ones of the left, then of the right; contracted: seen whole."""
  del write
  contracted, batch = operation.params["dimension_numbers"]
  free = [
    [a for a in range(len(operation.takes[i].shape)) if a not in (*contracted[i], *batch[i])]
    for i in (0, 1)
  ]
  start = len(batch[0]) + (len(free[0]) if read else 0)
  moves = {axis: Move(i) for i, axis in enumerate(batch[read])}
  return moves | {axis: Move(i) for i, axis in enumerate(free[read], start)}


def _gathered(operation: Operation, read: int, write: int) -> Moves:
  """Axes of which every slice takes all."""
  del write
  if read:
    return {}
  numbers, sizes = operation.params["dimension_numbers"], operation.params["slice_sizes"]
  gone = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
  rest = [axis for axis in range(len(sizes)) if axis not in gone]
  places = zip(rest, numbers.offset_dims, strict=True)
  return {a: Move(i) for a, i in places if sizes[a] == operation.takes[0].shape[a]}


# How the axes of what is read as number `read` move into what is given as number `write`.
Rule = Callable[[Operation, int, int], Moves | None]
RULES: dict[str, Rule] = {
  "conv_general_dilated": _convolution,
  "dot_general": _product,
  "pad": _padded,
  "slice": _sliced,
  "split": _split,
  "rev": _mirrored,
  "transpose": _transposed,
  "broadcast_in_dim": _broadcast,
  "gather": _gathered,
  "optimization_barrier": _one_to_one,
}
for _rule, _names in (
  (_pooling, "reduce_window reduce_window_max reduce_window_min reduce_window_sum"),
  (_kept, "argmax argmin reduce reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum"),
  (_kept, "reduce_xor squeeze"),
  (_mixed, "cumlogsumexp cummax cummin cumprod cumsum sort top_k"),
  (_same_place, "dynamic_slice dynamic_update_slice tile"),
  (_scattered, "scatter scatter-add scatter-max scatter-min scatter-mul scatter-sub"),
):
  RULES |= dict.fromkeys(_names.split(), _rule)


def _concatenated(operation: Operation, given: Given, pixels: object) -> Given:
  """Along an axis that windows move along they must line up, as those of two halves do."""
  del pixels
  axis, out, start, pieces = operation.params["dimension"], operation.gives[0], 0, []
  for view, piece in zip(given, operation.takes, strict=True):
    moves = {a: Move(a) for a in range(len(out.shape))} | {axis: Move(axis, 1, -start, -start)}
    start += piece.shape[axis]
    if view and piece.size:
      pieces.append(_carried(view, moves, piece, out))
  joined = functools.reduce(_joined, pieces, None)
  if joined is None:
    return [None]
  aligned = [
    w is None or w.axis != axis or all(p[n] == w for p in pieces) for n, w in enumerate(joined)
  ]
  return [tuple(w if fits else None for w, fits in zip(joined, aligned, strict=True))]


def _reshaped(operation: Operation, given: Given, pixels: object) -> Given:
  del pixels
  before, after = operation.takes[0].shape, operation.gives[0].shape
  return [tuple(_regrouped(w, before, after) for w in given[0] or ())]


def _regrouped(window: Window | None, before: Shape, after: Shape) -> Window | None:
  """A window after a reshape, which leaves every value at its place in row-major order.

  Axes may be merged and taken apart again, as batch norm does. One that is split goes on as its
  first part, and sees what the parts do.
  """
  if window is None or 0 in before:
    return None
  inner = window.inner * math.prod(before[window.axis + 1 :])  # values from one index to the next
  steps = [math.prod(after[axis + 1 :]) for axis in range(len(after))]
  if window.count == 1:
    # One pixel fits anywhere: back where the image has its axis, else out of the way.
    home, last = window.image_axis, len(after) - 1
    if home <= last and (after[home], steps[home]) == (1, inner):
      return window._replace(axis=home, inner=1)
    return window._replace(axis=last, inner=inner) if after else None
  for axis, (size, step) in enumerate(zip(after, steps, strict=True)):
    if inner % step == 0 and size % (inner // step * window.count) == 0:
      return window._replace(axis=axis, inner=inner // step)
    parts, count = step // inner, window.count * inner // step
    if 1 < parts < window.count and (parts * inner, count * parts, size % count) == (
      step,
      window.count,
      0,
    ):
      low, high = sorted((0, window.stride * (parts - 1)))
      first, last = window.first + low, window.last + high
      return Window(window.image_axis, axis, window.stride * parts, first, last, count)
  return None


def _scanned(operation: Operation, given: Given, pixels: Shape) -> Given:
  """Round by round, until nothing changes."""
  body, constants = operation.body, operation.params["num_consts"]
  end = constants + operation.params["num_carry"]
  fixed, carry, slices = given[:constants], list(given[constants:end]), given[end:]
  slices = [_shifted(view, -1) for view in slices]
  stacked: Given = [None] * (len(operation.writes) - len(carry))
  for n in range(operation.rounds):
    reads = zip(body.inputs, (*fixed, *carry, *slices), strict=True)
    views = _follow(body, {number: view for number, view in reads if view}, pixels)
    results = [views.get(number) for number in body.outputs]
    after, rows = results[: len(carry)], results[len(carry) :]
    stacked = [_joined(s, _shifted(r, 1)) for s, r in zip(stacked, rows, strict=True)]
    if n >= ROUNDS:
      whole = (None,) * len(pixels)
      after = [c if _joined(c, a) == c else whole for c, a in zip(carry, after, strict=True)]
    if after == carry:
      break
    carry = after
  return carry + stacked


def _shifted(view: View | None, by: int) -> View | None:
  """Among more or fewer axes at the front; one that moves along an axis that goes is whole."""
  if view is None:
    return None
  return tuple(w._replace(axis=w.axis + by) if w and w.axis + by >= 0 else None for w in view)


JOINT = {"concatenate": _concatenated, "reshape": _reshaped, "scan": _scanned}
