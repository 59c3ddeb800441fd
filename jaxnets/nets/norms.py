"""Normalisation layers with their parameters and running averages."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError


def norm(
  kind: str, *, group: int, name: str, epsilon: float = 1e-5, scale_init=nn.initializers.ones
) -> Callable[..., jax.Array]:
  """The normalisation layer called `kind`, as a function of (x, train).

  "batch" (statistics over `group` images), "group" (Wu and He 2018: 32 groups of channels, or as
  many of two or more as divide them) or "none".
  """
  if kind == "batch":
    return BatchNorm(group=group, epsilon=epsilon, scale_init=scale_init, name=name)
  if kind == "group":
    return GroupNorm(epsilon=epsilon, scale_init=scale_init, name=name)
  return lambda x, train: x


class BatchNorm(nn.Module):
  """Batch normalisation, Ioffe and Szegedy 2015, over groups of `group` images.

  In training every run of `group` consecutive images (0: the whole batch) is normalised by its
  own moments, so the result does not depend on how the batch lies on devices. Otherwise the
  running averages normalise.
  """

  group: int = 0
  momentum: float = 0.9
  epsilon: float = 1e-5
  scale_init: Callable[..., jax.Array] = nn.initializers.ones

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    shape = (x.shape[-1],)
    scale = self.param("scale", self.scale_init, shape)
    bias = self.param("bias", nn.initializers.zeros, shape)
    mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
    variance = self.variable("batch_stats", "variance", jnp.ones, shape)
    if train and self.group and x.shape[0] % self.group:
      raise _indivisible_batch(self.group, x.shape[0])
    if not train:
      moments = mean.value[None], variance.value[None]
    else:
      moments = kernels.batch_moments(x, self.group or x.shape[0])
      if not self.is_initializing():
        for running, now in zip((mean, variance), moments, strict=True):
          running.value = self.momentum * running.value + (1 - self.momentum) * now.mean(0)
    return kernels.normalise(x, *moments, scale, bias, self.epsilon)


class GroupNorm(nn.Module):
  """Group normalisation, Wu and He 2018: moments per image over groups of channels."""

  groups: int = 32
  epsilon: float = 1e-5
  scale_init: Callable[..., jax.Array] = nn.initializers.ones

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    del train  # the same in training and evaluation
    channels = x.shape[-1]
    # Two channels or more in each: on maps of one pixel a group of one value would be all zeros.
    most = max(1, min(self.groups, channels // 2))
    groups = next(g for g in range(most, 0, -1) if channels % g == 0)
    scale = self.param("scale", self.scale_init, (channels,))
    bias = self.param("bias", nn.initializers.zeros, (channels,))
    grouped = x.reshape(x.shape[0], -1, groups, channels // groups).astype(jnp.float32)
    mean = grouped.mean((1, 3), keepdims=True)
    variance = jnp.square(grouped - mean).mean((1, 3), keepdims=True)
    out = ((grouped - mean) * jax.lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
    return (out * scale + bias).astype(x.dtype)


def _indivisible_batch(group: int, batch: int) -> ConfigError:
  near = sorted((d for d in range(1, batch + 1) if batch % d == 0), key=lambda d: abs(d - group))
  return ConfigError(
    f"norm_group (={group}) must divide the images in the batch (={batch}); "
    f"nearest: {', '.join(map(str, sorted(near[:2])))}"
  )
