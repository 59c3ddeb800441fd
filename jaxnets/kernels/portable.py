"""The CPU's operations in JAX alone, arranged as XLA computes them fastest there.

The same functions as in `native`, for where C++ cannot be had.
"""

import functools

import jax
import jax.numpy as jnp

from jaxnets.kernels import plain
from jaxnets.kernels.plain import Geometry, ResponseNorm, Windows


def conv(geometry: Geometry, relu: bool, image, kernel, bias, add):
  """See `native.conv`."""
  return plain.finish(plain.conv(geometry, False, image, kernel, bias), add, relu)


def conv_image_gradient(geometry: Geometry, shape: tuple[int, ...], dy, kernel):
  """See `native.conv_image_gradient`."""
  like = jax.ShapeDtypeStruct(shape, dy.dtype)
  return jax.linear_transpose(lambda x: plain.cross_correlate(geometry, x, kernel), like)(dy)[0]


def conv_kernel_gradient(geometry: Geometry, shape: tuple[int, ...], biased: bool, image, dy):
  """See `native.conv_kernel_gradient`."""
  like = jax.ShapeDtypeStruct(shape, dy.dtype)
  transposed = jax.linear_transpose(lambda w: plain.cross_correlate(geometry, image, w), like)
  return transposed(dy)[0], _pixel_sum(dy).sum(0) if biased else None


def norm_sums(x):
  """See `native.norm_sums`."""
  return _pixel_sum(x), _pixel_sum(x * x)


def norm(x, mean, factor, bias, add, relu: bool):
  """See `native.norm`."""
  out = plain.finish((x - _spread(mean)) * _spread(factor) + bias, add, relu)
  return _held(out, bias)


def _norm(x, mean, factor, bias):
  return (x - _spread(mean)) * _spread(factor) + bias


def norm_gradient_sums(dy, x, out, mean, factor, bias, relu: bool):
  """See `native.norm_gradient_sums`."""
  g = dy
  if relu:
    passed = _norm(x, mean, factor, bias) if out is None else out
    g = jnp.where(passed > 0, dy, 0)
  centred = x - _spread(mean)
  return _pixel_sum(g), _pixel_sum(g * centred), g if relu else None


def norm_gradient(dy, x, mean, factor, bias, slope, offset, relu: bool):
  """See `native.norm_gradient`."""
  g = jnp.where(_norm(x, mean, factor, bias) > 0, dy, 0) if relu else dy
  dx = _spread(factor) * g + _spread(slope) * (x - _spread(mean)) + _spread(offset)
  return _held(dx, bias)


def _held(x, parameter):
  some = parameter.ravel()[0]
  return jax.lax.cond(some == some, lambda x, some: x, lambda x, some: x + some, x, some)


def _spread(rows):
  """Numbers per channel in the shape that multiplies images."""
  return rows if rows.ndim == 1 else rows[:, None, None]


def _pixel_sum(x):
  """[batch, height, width, channels] -> [batch, channels]."""
  return x.sum(1).sum(1)


def response_norm(constants: ResponseNorm, image):
  """See `native.response_norm`."""
  return plain.response_norm(constants, image)


def response_norm_gradient(constants: ResponseNorm, image, dy):
  """See `native.response_norm_gradient`."""
  return jax.vjp(functools.partial(plain.response_norm, constants), image)[1](dy)[0]


def max_pool(windows: Windows, image):
  """See `native.max_pool`."""
  return plain.max_pool(windows, image)


def max_pool_with_places(windows: Windows, image):
  """See `native.max_pool_with_places`."""
  out = plain.max_pool(windows, image)
  return out, jnp.zeros(out.shape, jnp.uint8)


def max_pool_gradient(windows: Windows, image, places, dy):
  """See `native.max_pool_gradient`."""
  del places
  return jax.vjp(functools.partial(plain.max_pool, windows), image)[1](dy)[0]


def average_pool(windows: Windows, image):
  """See `native.average_pool`."""
  return plain.average_pool(windows, image)


def average_pool_gradient(windows: Windows, shape: tuple[int, ...], dy):
  """See `native.average_pool_gradient`."""
  like = jax.ShapeDtypeStruct(shape, dy.dtype)
  return jax.linear_transpose(functools.partial(plain.average_pool, windows), like)(dy)[0]
