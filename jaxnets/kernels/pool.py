"""Pooling."""

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.kernels.conv import Padding

NO_PADDING: Padding = ((0, 0), (0, 0))


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


def _windows(window: int, stride: int, padding: Padding):
  return (1, window, window, 1), (1, stride, stride, 1), ((0, 0), *padding, (0, 0))
