"""Kernels of a first layer as one image."""

import math

import jax
import jax.numpy as jnp


def filter_grid(kernel: jax.Array, columns: int = 8) -> jax.Array:
  """The filters side by side, each stretched to 0..1 by its own lowest and highest weight.

  Filter n stands in row n // columns, column n % columns, so that two states of one net can be laid
  side by side. A filter of equal weights is 0.5 everywhere; places without a filter are 0.

  Args:
    kernel: [height, width, in, filters]; in is 1 or 3 for a layer that sees images.
    columns: filters in a row.

  Returns:
    float32 [rows * height, columns * width, in], 0 to 1.
  """
  height, width, channels, count = kernel.shape
  rows = math.ceil(count / columns)
  low, high = kernel.min((0, 1, 2)), kernel.max((0, 1, 2))
  span = high - low
  filters = jnp.where(span > 0, (kernel - low) / jnp.where(span > 0, span, 1), 0.5)
  filters = jnp.pad(filters, ((0, 0), (0, 0), (0, 0), (0, rows * columns - count)))
  grid = filters.reshape(height, width, channels, rows, columns).transpose(3, 0, 4, 1, 2)
  return grid.reshape(rows * height, columns * width, channels).astype(jnp.float32)
