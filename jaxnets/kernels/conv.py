"""Convolution, with the sum and the ReLU that follow it."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.kernels import calls
from jaxnets.kernels.forms import choose, form, on_cpu
from jaxnets.kernels.norm import normalise

# Pixels added before and after each of height and width.
Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))


class Geometry(NamedTuple):
  """How the windows of a convolution lie."""

  stride: tuple[int, int]
  padding: Padding
  dilation: tuple[int, int]
  groups: int


def conv(
  image: jax.Array,
  kernel: jax.Array,
  bias: jax.Array | None = None,
  *,
  stride: tuple[int, int] = (1, 1),
  padding: Padding = NO_PADDING,
  dilation: tuple[int, int] = (1, 1),
  groups: int = 1,
  relu: bool = False,
) -> jax.Array:
  """Cross-correlation of an image with a kernel, the networks' "convolution".

  Args:
    image: [batch, height, width, in].
    kernel: [height, width, in / groups, out]; same dtype as the image.
    bias: [out], added; same dtype.
    stride: step of the window in height and width.
    padding: zeros before and after height and width.
    dilation: distance between neighbouring taps of the kernel.
    groups: channels are split into this many independent convolutions (AlexNet, section 3.2).
    relu: whether max(0, x) follows.

  Returns:
    [batch, height', width', out], dtype of the image.
  """
  geometry = Geometry(tuple(stride), tuple(map(tuple, padding)), tuple(dilation), groups)
  if not _faster(image, kernel, geometry):
    return plain_conv(geometry, relu, image, kernel, bias)
  return _conv(geometry, relu, image, kernel, bias)


def plain_conv(
  geometry: Geometry,
  relu: bool,
  image: jax.Array,
  kernel: jax.Array,
  bias: jax.Array | None,
) -> jax.Array:
  """What `conv` means."""
  y = cross_correlate(geometry, image, kernel)
  if bias is not None:
    y = y + bias
  return jax.nn.relu(y) if relu else y


def cross_correlate(geometry: Geometry, image: jax.Array, kernel: jax.Array) -> jax.Array:
  """The convolution itself, bilinear."""
  return lax.conv_general_dilated(
    image,
    kernel,
    window_strides=geometry.stride,
    padding=geometry.padding,
    rhs_dilation=geometry.dilation,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=geometry.groups,
  )


def conv_normalised(
  image: jax.Array,
  kernel: jax.Array,
  bias: jax.Array | None,
  mean: jax.Array,
  variance: jax.Array,
  scale: jax.Array,
  offset: jax.Array,
  epsilon: float,
  *,
  add: jax.Array | None = None,
  relu: bool = False,
  stride: tuple[int, int] = (1, 1),
  padding: Padding = NO_PADDING,
  dilation: tuple[int, int] = (1, 1),
  groups: int = 1,
) -> jax.Array:
  """A layer at inference: `conv`, then `normalise` by given moments, the sum and the ReLU.

  On a CPU the normalisation is folded into the convolution's kernel and bias.

  Args:
    image, kernel, bias, stride, padding, dilation, groups: of the convolution, see `conv`.
    mean, variance: float32 [1, out].
    scale, offset: float32 [out]; of the normalisation.
    epsilon: added to the variance.
    add: summed before the ReLU; as the result.
    relu: whether max(0, x) follows.
  """
  geometry = Geometry(tuple(stride), tuple(map(tuple, padding)), tuple(dilation), groups)
  arguments = (image, kernel, bias, mean, variance, scale, offset, add)
  operation = _conv_normalised if _faster(image, kernel, geometry) else plain_conv_normalised
  return operation(geometry, epsilon, relu, *arguments)


def plain_conv_normalised(
  geometry, epsilon, relu, image, kernel, bias, mean, variance, scale, offset, add
):
  """What `conv_normalised` means."""
  y = plain_conv(geometry, False, image, kernel, bias)
  return _normalised(epsilon, relu, y, mean, variance, scale, offset, add)


def _normalised(epsilon, relu, y, mean, variance, scale, offset, add):
  y = normalise(y, mean, variance, scale, offset, epsilon)
  y = y if add is None else y + add
  return jax.nn.relu(y) if relu else y


def _faster(image: jax.Array, kernel: jax.Array, geometry: Geometry) -> bool:
  """Whether a form other than the plain one may stand in."""
  return (
    on_cpu()
    and image.dtype == kernel.dtype == jnp.float32
    and min(min(side) for side in geometry.padding) >= 0
    and min(image.size, kernel.size) > 0
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _conv(geometry, relu, image, kernel, bias):
  plain = functools.partial(plain_conv, geometry, relu)
  return choose(functools.partial(_forward, geometry, relu), plain, image, kernel, bias)


def _conv_forward(geometry, relu, image, kernel, bias):
  y = _conv(geometry, relu, image, kernel, bias)
  return y, (image, kernel, bias, y if relu else None)


def _conv_backward(geometry, relu, kept, dy):
  image, kernel, bias, y = kept
  if relu:
    dy = jnp.where(y > 0, dy, 0)

  def plain_image_gradient(dy, kernel):
    return _transpose(lambda x: cross_correlate(geometry, x, kernel), image, dy)

  def plain_kernel_gradient(image, dy):
    dkernel = _transpose(lambda w: cross_correlate(geometry, image, w), kernel, dy)
    return dkernel, None if bias is None else dy.sum((0, 1, 2))

  own_image_gradient = functools.partial(_image_gradient, geometry, image)
  own_kernel_gradient = functools.partial(_kernel_gradient, geometry, kernel, bias is not None)
  if form() == "plain":
    own_image_gradient, own_kernel_gradient = plain_image_gradient, plain_kernel_gradient
  dimage = choose(own_image_gradient, plain_image_gradient, dy, kernel)
  dkernel, dbias = choose(own_kernel_gradient, plain_kernel_gradient, image, dy)
  return dimage, dkernel, dbias


_conv.defvjp(_conv_forward, _conv_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _conv_normalised(geometry, epsilon, relu, image, kernel, bias, *rest):
  def folded(image, kernel, bias, mean, variance, scale, offset, add):
    factor = (scale * lax.rsqrt(variance + epsilon))[0]
    bias = (0 if bias is None else bias) - mean[0]
    return _forward(geometry, relu, image, kernel * factor, bias * factor + offset, add)

  plain = functools.partial(plain_conv_normalised, geometry, epsilon, relu)
  return choose(folded, plain, image, kernel, bias, *rest)


def _conv_normalised_forward(geometry, epsilon, relu, *arguments):
  # Where a gradient is asked for, the parts whose gradients are known.
  def apart(image, kernel, bias, *rest):
    return _normalised(epsilon, relu, _conv(geometry, False, image, kernel, bias), *rest)

  return jax.vjp(apart, *arguments)


_conv_normalised.defvjp(
  _conv_normalised_forward, lambda geometry, epsilon, relu, backward, dy: backward(dy)
)


def _transpose(function, like: jax.Array, dy: jax.Array) -> jax.Array:
  """The gradient of a linear function of an array like `like`."""
  return jax.linear_transpose(function, jax.ShapeDtypeStruct(like.shape, like.dtype))(dy)[0]


def _forward(geometry, relu, image, kernel, bias, add=None):
  """The convolution on a CPU; `add` is summed before the ReLU."""
  if form() == "plain":
    y = plain_conv(geometry, False, image, kernel, bias)
    y = y if add is None else y + add
    return jax.nn.relu(y) if relu else y
  shape = jax.eval_shape(functools.partial(cross_correlate, geometry), image, kernel)
  (y,) = calls.call(
    "jaxnets_conv",
    [
      (calls.IMAGES, image),
      (calls.SHARED, kernel),
      None if bias is None else (calls.SHARED, bias),
      None if add is None else (calls.IMAGES, add),
    ],
    [(calls.IMAGES, shape)],
    geometry=_numbers(geometry, relu),
  )
  return y


def _image_gradient(geometry, image, dy, kernel):
  shape = jax.ShapeDtypeStruct(image.shape, image.dtype)
  (dimage,) = calls.call(
    "jaxnets_conv_image_gradient",
    [(calls.IMAGES, dy), (calls.SHARED, kernel)],
    [(calls.IMAGES, shape)],
    geometry=_numbers(geometry),
  )
  return dimage


def _kernel_gradient(geometry, kernel, biased, image, dy):
  shape = jax.ShapeDtypeStruct(kernel.shape, kernel.dtype)
  bias = jax.ShapeDtypeStruct(kernel.shape[-1:], kernel.dtype)
  dkernel, *dbias = calls.call(
    "jaxnets_conv_kernel_gradient",
    [(calls.IMAGES, image), (calls.IMAGES, dy)],
    [(calls.SUM, shape), (calls.SUM, bias) if biased else None],
    geometry=_numbers(geometry),
  )
  return dkernel, dbias[0] if biased else None


def _numbers(geometry: Geometry, relu: bool = False) -> np.ndarray:
  """A geometry as the C++ reads it."""
  (top, bottom), (left, right) = geometry.padding
  numbers = (*geometry.stride, top, left, bottom, right, *geometry.dilation, geometry.groups, relu)
  return np.array(numbers, np.int64)
