"""One operation of a traced program, and what it costs."""

import functools
import math
from typing import Any, NamedTuple

PRODUCTS = ("conv_general_dilated", "dot_general")
# Operations that move, cast or make values, and compute nothing.
FREE = frozenset({
  "broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "convert_element_type",
  "slice", "dynamic_slice", "dynamic_update_slice", "concatenate", "pad", "rev", "gather", "iota",
  "copy", "copy_p", "select_n", "split", "stop_gradient", "device_put", "sharding_constraint",
  "optimization_barrier", "pvary", "pcast", "reduce_precision", "bitcast_convert_type",
  "random_wrap", "random_unwrap", "random_fold_in", "random_seed", "random_split", "random_bits",
  "threefry2x32", "random_gamma", "platform_index", "axis_index", "name", "broadcast", "empty",
  "reshard", "mesh_cast", "cond",
})  # fmt: skip
# Operations that only a run could tell about.
OPAQUE = frozenset({
  "ffi_call", "pallas_call", "custom_call", "pure_callback", "io_callback", "tpu_custom_call",
  "debug_callback", "debug_print", "while", "composite", "linear_call", "custom_linear_solve",
  "ragged_dot", "ragged_dot_general", "fft", "cholesky", "triangular_solve", "lu", "qr", "eigh",
  "eig", "svd",
})  # fmt: skip


class Operation(NamedTuple):
  """One operation of a `Program`."""

  name: str  # of the primitive
  reads: tuple[int, ...]  # numbers of values; -1 for a number written in the program
  writes: tuple[int, ...]
  takes: tuple[Any, ...]  # shape and dtype of what it reads
  gives: tuple[Any, ...]  # and of what it writes
  params: dict[str, Any]
  scope: tuple[str, ...]  # module and scope names around it, outermost first
  backward: bool  # part of a gradient, not of the forward pass
  times: int  # runs: devices of a shard_map around it
  body: Any  # the Program of a loop, else None
  rounds: int | None  # of the loop; None: not known before it runs


def macs_of(operation: Operation, *, padding: bool = True) -> int:
  """Multiply-adds of a convolution or matrix product in one run; 0 for anything else.

  A transposed convolution, as the gradient for an image is one, has as many as the convolution that
  it transposes: those of every value that it takes with every tap. The zeros that it is written
  with, between and around its values, are none of them.

  Args:
    operation: any.
    padding: whether taps on padding count.
  """
  if operation.name == "conv_general_dilated":
    return _conv_macs(operation, padding)
  if operation.name == "dot_general":
    left, out = operation.takes[0].shape, operation.gives[0].shape
    (contracted, _), _ = operation.params["dimension_numbers"]
    return math.prod(out) * math.prod(left[i] for i in contracted)
  return 0


def elementwise_of(operation: Operation) -> int:
  """Scalar operations of anything but convolutions and matrix products in one run.

  One for each value that an element-wise operation gives, a reduction takes, or a window covers.
  """
  name = operation.name
  if name in FREE or name in OPAQUE or name in PRODUCTS:
    return 0
  window = operation.params.get("window_dimensions")
  if window is not None:
    # Pooling counts by what it gives, its gradient by what it takes.
    sizes = operation.takes if name.startswith("select_and") else operation.gives
    return math.prod(sizes[0].shape) * math.prod(window)
  takes = name.startswith(("reduce_", "arg", "cum", "scatter", "sort", "top_k", "psum"))
  return math.prod((operation.takes if takes else operation.gives)[0].shape)


def _conv_macs(operation: Operation, padding: bool) -> int:
  """Each output value takes height * width * in / groups taps; the kernel's shape holds them."""
  image, kernel = (value.shape for value in operation.takes)
  out, numbers = operation.gives[0].shape, operation.params["dimension_numbers"]
  axes = zip(numbers.lhs_spec[2:], numbers.rhs_spec[2:], numbers.out_spec[2:], strict=True)
  taps = 1
  for axis, (i, k, o) in enumerate(axes):
    holes, (edge, _) = operation.params["lhs_dilation"][axis], operation.params["padding"][axis]
    stride, spread = (operation.params[p][axis] for p in ("window_strides", "rhs_dilation"))
    if not padding:
      taps *= _valid_taps(image[i], kernel[k], out[o], stride, spread, holes, edge)
    elif holes > 1:
      taps *= image[i] * kernel[k]
    elif operation.backward:  # of stride 1, and maybe transposed: without holes one cannot see it
      taps *= min(image[i], out[o]) * kernel[k]
    else:
      taps *= out[o] * kernel[k]
  batch, features = (out[axis] for axis in numbers.out_spec[:2])
  return taps * batch * features * kernel[numbers.rhs_spec[1]]


@functools.cache
def _valid_taps(
  image: int, kernel: int, out: int, stride: int, spread: int, holes: int, edge: int
) -> int:
  """Pairs of an output and a tap along one axis that meet a value."""
  end, total = (image - 1) * holes, 0
  for tap in range(kernel):
    first = tap * spread - edge  # where the tap lies for output 0
    for place in range(first, first + out * stride, stride):
      total += place % holes == 0 and 0 <= place <= end
  return total
