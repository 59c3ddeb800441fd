"""Pooling."""

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.kernels.conv import NO_PADDING, Padding


def max_pool(
  image: jax.Array, window: int, stride: int, padding: Padding = NO_PADDING
) -> jax.Array:
  """Largest value in each window; padding never wins.

  [batch, height, width, channels] -> [batch, height', width', channels].
  """
  return lax.reduce_window(image, -jnp.inf, lax.max, *_windows(window, stride, padding))


def average_pool(
  image: jax.Array, window: int, stride: int, padding: Padding = NO_PADDING
) -> jax.Array:
  """Mean of each window over the pixels that exist: padding does not count.

  [batch, height, width, channels] -> [batch, height', width', channels].
  """
  sums = lax.reduce_window(image, 0.0, lax.add, *_windows(window, stride, padding))
  if padding == NO_PADDING:
    return sums / (window * window)
  ones = jnp.ones((1, *image.shape[1:3], 1), image.dtype)
  return sums / lax.reduce_window(ones, 0.0, lax.add, *_windows(window, stride, padding))


def adaptive_average_pool(image: jax.Array, size: int) -> jax.Array:
  """Mean over size x size windows that cover the image evenly, as in PyTorch.

  Window i of n pixels runs from floor(i * n / size) to ceil((i + 1) * n / size).

  [batch, height, width, channels] -> [batch, size, size, channels].
  """

  def shrink(x: jax.Array, axis: int) -> jax.Array:
    n = x.shape[axis]
    bounds = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
    return jnp.stack([lax.slice_in_dim(x, *b, axis=axis).mean(axis) for b in bounds], axis)

  return shrink(shrink(image, 1), 2)


def _windows(window: int, stride: int, padding: Padding):
  return (1, window, window, 1), (1, stride, stride, 1), ((0, 0), *padding, (0, 0))
