"""Where the axes of what an operation reads go in what it gives: a rule for every operation."""

from collections.abc import Callable
from typing import NamedTuple

from jaxnets.cost.operation import Operation

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


class Move(NamedTuple):
  """An axis of what an operation gives, and where it reads along an axis of what it takes.

  Index i reads indices (step * i + low) / holes .. (step * i + high) / holes.
  """

  axis: int
  step: int = 1
  low: int = 0
  high: int = 0
  holes: int = 1  # where every holes-th index holds a value, and those between hold nothing


# Where axes of what is read go; those left out are seen whole.
Moves = dict[int, Move]
# The moves from the value that is read at one place into the one given at another.
Rule = Callable[[Operation, int, int], Moves]


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
