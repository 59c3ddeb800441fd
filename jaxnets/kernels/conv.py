"""Convolution, with what follows it in a layer."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.kernels import forms, plain
from jaxnets.kernels.checks import all_float32, check_images, check_shape
from jaxnets.kernels.plain import NO_PADDING, Geometry, Padding


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

  Raises:
    ValueError: shapes that do not fit each other.
  """
  geometry = _geometry(stride, padding, dilation, groups)
  _check(geometry, image, kernel, bias, None)
  operation = _conv if _has_forms(geometry, image, kernel, bias) else plain.conv
  return operation(geometry, relu, image, kernel, bias)


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

  Returns:
    [batch, height', width', out], dtype of the image.

  Raises:
    ValueError: shapes that do not fit each other.
  """
  geometry = _geometry(stride, padding, dilation, groups)
  _check(geometry, image, kernel, bias, add)
  for name, values in (("mean", mean), ("variance", variance)):
    check_shape(name, values, (1, kernel.shape[-1]))
  for name, values in (("scale", scale), ("offset", offset)):
    check_shape(name, values, kernel.shape[-1:])
  arguments = (image, kernel, bias, mean, variance, scale, offset, add)
  operation = _conv_normalised if _has_forms(geometry, *arguments) else plain.conv_normalised
  return operation(geometry, epsilon, relu, *arguments)


def _geometry(stride, padding, dilation, groups) -> Geometry:
  (top, bottom), (left, right) = padding
  return Geometry(tuple(stride), ((top, bottom), (left, right)), tuple(dilation), groups)


def _check(geometry: Geometry, image, kernel, bias, add) -> None:
  """Refuses shapes that do not fit each other."""
  check_images(image)
  if kernel.ndim != 4:
    raise ValueError(f"kernel (={kernel.shape}) must be [height, width, in / groups, out]")
  stride, padding, dilation, groups = geometry
  if min(*stride, *dilation, groups) < 1:
    raise ValueError(f"stride, dilation and groups (={geometry}) must be at least 1")
  into, out = kernel.shape[2] * groups, kernel.shape[3]
  if image.shape[3] != into or out % groups:
    raise ValueError(
      f"kernel (={kernel.shape}) with groups (={groups}) takes {into} channels and gives whole "
      f"groups of {out}; the image has {image.shape[3]} channels"
    )
  check_shape("bias", bias, (out,))
  size = [
    (n + sum(p) - d * (k - 1) - 1) // s + 1
    for n, k, s, p, d in zip(
      image.shape[1:3], kernel.shape[:2], stride, padding, dilation, strict=True
    )
  ]
  if min(size) < 1:
    raise ValueError(f"kernel (={kernel.shape}) must fit into the padded image (={image.shape})")
  check_shape("add", add, (image.shape[0], *size, out))


def _has_forms(geometry: Geometry, *arrays: jax.Array | None) -> bool:
  """Whether another form than the plain one may stand in."""
  return forms.on_cpu() and all_float32(*arrays) and min(map(min, geometry.padding)) >= 0


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _conv(geometry, relu, image, kernel, bias):
  def own(image, kernel, bias):
    return forms.on_cpu_form().conv(geometry, relu, image, kernel, bias, None)

  return forms.choose(own, functools.partial(plain.conv, geometry, relu), image, kernel, bias)


def _conv_forward(geometry, relu, image, kernel, bias):
  y = _conv(geometry, relu, image, kernel, bias)
  return y, (image, kernel, bias, y if relu else None)


def _conv_backward(geometry, relu, kept, dy):
  image, kernel, bias, y = kept
  dy = jnp.where(y > 0, dy, 0) if relu else dy
  own = forms.on_cpu_form()

  def own_image_gradient(dy, kernel):
    return own.conv_image_gradient(geometry, image.shape, dy, kernel)

  def own_kernel_gradient(image, dy):
    return own.conv_kernel_gradient(geometry, kernel.shape, bias is not None, image, dy)

  image_gradient = functools.partial(_image_gradient, geometry, image.shape)
  kernel_gradient = functools.partial(_kernel_gradient, geometry, kernel.shape, bias is not None)
  dimage = forms.choose(own_image_gradient, image_gradient, dy, kernel)
  dkernel, dbias = forms.choose(own_kernel_gradient, kernel_gradient, image, dy)
  return dimage, dkernel, dbias


_conv.defvjp(_conv_forward, _conv_backward)


def _image_gradient(geometry, shape, dy, kernel):
  return _transpose(lambda x: plain.cross_correlate(geometry, x, kernel), shape, dy)


def _kernel_gradient(geometry, shape, biased, image, dy):
  dkernel = _transpose(lambda w: plain.cross_correlate(geometry, image, w), shape, dy)
  return dkernel, dy.sum((0, 1, 2)) if biased else None


def _transpose(function, shape: tuple[int, ...], dy: jax.Array) -> jax.Array:
  """The gradient of a linear function of an array of that shape."""
  return jax.linear_transpose(function, jax.ShapeDtypeStruct(shape, dy.dtype))(dy)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _conv_normalised(geometry, epsilon, relu, *arguments):
  def folded(image, kernel, bias, mean, variance, scale, offset, add):
    factor = (scale * lax.rsqrt(variance + epsilon))[0]
    bias = (0 if bias is None else bias) - mean[0]
    kernel, bias = kernel * factor, bias * factor + offset
    return forms.on_cpu_form().conv(geometry, relu, image, kernel, bias, add)

  apart = functools.partial(plain.conv_normalised, geometry, epsilon, relu)
  return forms.choose(folded, apart, *arguments)


def _conv_normalised_forward(geometry, epsilon, relu, *arguments):
  # Where a gradient is asked for, the parts whose gradients are known.
  def apart(image, kernel, bias, mean, variance, scale, offset, add):
    y: Any = _conv(geometry, False, image, kernel, bias)
    return plain.finish(plain.normalise(y, mean, variance, scale, offset, epsilon), add, relu)

  return jax.vjp(apart, *arguments)


_conv_normalised.defvjp(
  _conv_normalised_forward, lambda geometry, epsilon, relu, backward, dy: backward(dy)
)
