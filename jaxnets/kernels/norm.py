"""Normalisation: batch moments, their application, and local response normalisation."""

import jax
import jax.numpy as jnp
from jax import lax


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


def local_response_norm(
  image: jax.Array, *, k: float = 2.0, n: int = 5, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
  """a / (k + alpha * sum of a^2 over the n neighbouring channels) ^ beta.

  Krizhevsky et al. 2012, section 3.3. `alpha` is not divided by `n`, as in the paper; Caffe and
  PyTorch divide, so their alpha = 5e-4 is the 1e-4 here. Windows are cut at the first and last
  channel.

  [batch, height, width, channels] -> the same shape and dtype; computed in float32.
  """
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
