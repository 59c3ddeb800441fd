"""The Inception module: branches of layers side by side, their outputs concatenated.

Szegedy et al. 2014 (1409.4842), figure 2; a net describes its modules as `Branch`es.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets import kernels
from jaxnets.nets import parts


class Layer(NamedTuple):
  """Convolution, norm, activation."""

  name: str
  features: int
  kernel: int | tuple[int, int]
  stride: int = 1  # above 1: without padding


class Pool(NamedTuple):
  """3x3 pooling."""

  kind: str
  stride: int = 1  # above 1: without padding


Fork = tuple[Layer, ...]  # layers side by side at the end of a branch
Branch = tuple[Layer | Pool | Fork, ...]


class Inception(nn.Module):
  """[batch, height, width, in] -> [batch, height', width', sum of what the branches give]."""

  branches: tuple[Branch, ...]
  manner: parts.Manner

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    return jnp.concatenate([self.follow(branch, x, train) for branch in self.branches], axis=-1)

  def follow(self, branch: Branch, x: jax.Array, train: bool) -> jax.Array:
    for step in branch:
      match step:
        case Layer():
          x = self.convolve(step, x, train)
        case Pool(kind, stride):
          x = parts.pool(x, kind, 3, stride, parts.same(3) if stride == 1 else kernels.NO_PADDING)
        case fork:
          x = jnp.concatenate([self.convolve(layer, x, train) for layer in fork], axis=-1)
    return x

  def convolve(self, layer: Layer, x: jax.Array, train: bool) -> jax.Array:
    name, features, kernel, stride = layer
    padding = None if stride == 1 else kernels.NO_PADDING
    return parts.layer(
      x, features, kernel, self.manner, stride=stride, padding=padding, name=name, train=train
    )
