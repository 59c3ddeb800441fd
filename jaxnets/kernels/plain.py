"""What every operation means, in JAX; programs for GPUs and TPUs hold these forms."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# Pixels added before and after each of height and width.
Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))


class Geometry(NamedTuple):
  """How the windows of a convolution lie."""

  stride: tuple[int, int]
  padding: Padding
  dilation: tuple[int, int]
  groups: int


class Windows(NamedTuple):
  """How the windows of a pooling lie."""

  window: int
  stride: int
  padding: Padding


class ResponseNorm(NamedTuple):
  """The constants of local response normalisation."""

  k: float
  n: int
  alpha: float
  beta: float


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


def conv(
  geometry: Geometry, relu: bool, image: jax.Array, kernel: jax.Array, bias: jax.Array | None
) -> jax.Array:
  """`kernels.conv`."""
  y = cross_correlate(geometry, image, kernel)
  return finish(y if bias is None else y + bias, None, relu)


def conv_normalised(
  geometry: Geometry,
  epsilon: float,
  relu: bool,
  image: jax.Array,
  kernel: jax.Array,
  bias: jax.Array | None,
  mean: jax.Array,
  variance: jax.Array,
  scale: jax.Array,
  offset: jax.Array,
  add: jax.Array | None,
) -> jax.Array:
  """`kernels.conv_normalised`."""
  y = conv(geometry, False, image, kernel, bias)
  return finish(normalise(y, mean, variance, scale, offset, epsilon), add, relu)


def finish(x: jax.Array, add: jax.Array | None, relu: bool) -> jax.Array:
  """The sum and the ReLU that may follow."""
  x = x if add is None else x + add
  return jax.nn.relu(x) if relu else x


def batch_norm(
  group: int,
  epsilon: float,
  relu: bool,
  x: jax.Array,
  scale: jax.Array,
  bias: jax.Array,
  add: jax.Array | None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """`kernels.batch_norm`."""
  mean, variance = batch_moments(x, group)
  return finish(normalise(x, mean, variance, scale, bias, epsilon), add, relu), mean, variance


def batch_moments(x: jax.Array, group: int) -> tuple[jax.Array, jax.Array]:
  """Mean and biased variance of each channel over groups of `group` consecutive examples.

  Args:
    x: [batch, ..., channels]; moments are taken over all axes but the last, in float32.
    group: examples per statistics group; divides the batch.

  Returns:
    mean and variance, float32 [batch / group, channels].
  """
  grouped = x.reshape(x.shape[0] // group, -1, x.shape[-1]).astype(jnp.float32)
  mean = grouped.mean(1)
  # One pass over the activations: E[x^2] - E[x]^2, never below zero by rounding.
  variance = jnp.maximum(jnp.square(grouped).mean(1) - jnp.square(mean), 0.0)
  return mean, variance


def normalise(
  x: jax.Array,
  mean: jax.Array,
  variance: jax.Array,
  scale: jax.Array,
  bias: jax.Array,
  epsilon: float,
) -> jax.Array:
  """(x - mean) / sqrt(variance + epsilon) * scale + bias, in float32, returned in x's dtype.

  Args:
    x: [batch, ..., channels].
    mean, variance: [groups, channels]; group g holds the g-th run of batch / groups examples.
    scale, bias: [channels].
    epsilon: added to the variance.
  """
  groups, channels = mean.shape
  factor = scale * lax.rsqrt(variance + epsilon)
  grouped = x.reshape(groups, -1, channels).astype(jnp.float32)
  out = (grouped - mean[:, None]) * factor[:, None] + bias
  return out.reshape(x.shape).astype(x.dtype)


def response_norm(constants: ResponseNorm, image: jax.Array) -> jax.Array:
  """`kernels.local_response_norm`."""
  k, n, alpha, beta = constants
  a = image.astype(jnp.float32)
  before = n // 2
  sums = lax.reduce_window(
    jnp.square(a),
    0.0,
    lax.add,
    (1, 1, 1, n),
    (1, 1, 1, 1),
    ((0, 0), (0, 0), (0, 0), (before, n - 1 - before)),
  )
  return (a * (k + alpha * sums) ** -beta).astype(image.dtype)


def max_pool(windows: Windows, image: jax.Array) -> jax.Array:
  """`kernels.max_pool`."""
  return lax.reduce_window(image, -jnp.inf, lax.max, *_axes(windows))


def average_pool(windows: Windows, image: jax.Array) -> jax.Array:
  """`kernels.average_pool`."""
  sums = lax.reduce_window(image, 0.0, lax.add, *_axes(windows))
  if windows.padding == NO_PADDING:
    return sums / (windows.window * windows.window)
  ones = jnp.ones((1, *image.shape[1:3], 1), image.dtype)
  return sums / lax.reduce_window(ones, 0.0, lax.add, *_axes(windows))


def _axes(windows: Windows):
  window, stride, padding = windows
  return (1, window, window, 1), (1, stride, stride, 1), ((0, 0), *padding, (0, 0))
