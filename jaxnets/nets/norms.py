"""Normalisation layers with their parameters and running averages."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets.learned import Initialiser, learned


class Moments(NamedTuple):
  """What normalises a layer at inference: `kernels.normalise`'s arguments."""

  mean: jax.Array  # float32 [1, channels], like the variance
  variance: jax.Array
  scale: jax.Array  # float32 [channels], like the bias
  bias: jax.Array
  epsilon: float


def norm(
  kind: str,
  channels: int,
  *,
  group: int,
  name: str,
  epsilon: float = 1e-5,
  scale_init=nn.initializers.ones,
) -> Callable[..., jax.Array]:
  """The normalisation layer called `kind`, as a function of (x, *, train, add, relu).

  "batch" (statistics over `group` images), "group" (Wu and He 2018: 32 groups of channels, or as
  many of two or more as divide them) or "none". What it gives is the normalised x, plus `add`
  unless that is None, its negative values set to zero if `relu`.
  """
  if kind == "batch":
    return BatchNorm(channels, group, epsilon=epsilon, scale_init=scale_init, name=name)
  if kind == "group":
    return GroupNorm(epsilon=epsilon, scale_init=scale_init, name=name)
  return lambda x, *, train, add=None, relu=False: finish(x, add, relu)


def finish(x: jax.Array, add: jax.Array | None, relu: bool) -> jax.Array:
  """The sum and the ReLU that follow a normalisation."""
  x = x if add is None else x + add
  return nn.relu(x) if relu else x


class BatchNorm(nn.Module):
  """Batch normalisation, Ioffe and Szegedy 2015, over groups of `group` images.

  In training every run of `group` consecutive images (0: the whole batch) is normalised by its
  own moments, so the result does not depend on how the batch lies on devices. Otherwise the
  running averages normalise.
  """

  channels: int
  group: int = 0
  momentum: float = 0.9
  epsilon: float = 1e-5
  scale_init: Initialiser = nn.initializers.ones

  def setup(self):
    shape = (self.channels,)
    self.scale = learned(self, "scale", self.scale_init, shape)
    self.bias = learned(self, "bias", nn.initializers.zeros, shape)
    self.mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
    self.variance = self.variable("batch_stats", "variance", jnp.ones, shape)

  def __call__(
    self, x: jax.Array, *, train: bool, add: jax.Array | None = None, relu: bool = False
  ) -> jax.Array:
    if not train:
      return finish(kernels.normalise(x, *self.moments()), add, relu)
    if self.group and x.shape[0] % self.group:
      raise _indivisible_batch(self.group, x.shape[0])
    out, *moments = kernels.batch_norm(
      x,
      self.scale,
      self.bias,
      add,
      group=self.group or x.shape[0],
      epsilon=self.epsilon,
      relu=relu,
    )
    if not self.is_initializing():
      for running, now in zip((self.mean, self.variance), moments, strict=True):
        running.value = _decay(self.momentum, running.value, now)
    return out

  def moments(self) -> Moments:
    """The running averages with scale and bias: what normalises at inference."""
    mean, variance = self.mean.value[None], self.variance.value[None]
    return Moments(mean, variance, self.scale, self.bias, self.epsilon)


@functools.partial(jax.jit, static_argnums=0)  # traced once for each number of channels
def _decay(momentum: float, running: jax.Array, now: jax.Array) -> jax.Array:
  return momentum * running + (1 - momentum) * now.mean(0)


class GroupNorm(nn.Module):
  """Group normalisation, Wu and He 2018: moments per image over groups of channels."""

  groups: int = 32
  epsilon: float = 1e-5
  scale_init: Initialiser = nn.initializers.ones

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, add: jax.Array | None = None, relu: bool = False
  ) -> jax.Array:
    del train  # the same in training and evaluation
    channels = x.shape[-1]
    # Two channels or more in each: on maps of one pixel a group of one value would be all zeros.
    most = max(1, min(self.groups, channels // 2))
    groups = next(g for g in range(most, 0, -1) if channels % g == 0)
    scale = learned(self, "scale", self.scale_init, (channels,))
    bias = learned(self, "bias", nn.initializers.zeros, (channels,))
    grouped = x.reshape(x.shape[0], -1, groups, channels // groups).astype(jnp.float32)
    mean = grouped.mean((1, 3), keepdims=True)
    variance = jnp.square(grouped - mean).mean((1, 3), keepdims=True)
    out = ((grouped - mean) * jax.lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
    return finish((out * scale + bias).astype(x.dtype), add, relu)


def _indivisible_batch(group: int, batch: int) -> ConfigError:
  near = sorted((d for d in range(1, batch + 1) if batch % d == 0), key=lambda d: abs(d - group))
  return ConfigError(
    f"norm_group (={group}) must divide the images in the batch (={batch}); "
    f"nearest: {', '.join(map(str, sorted(near[:2])))}"
  )
