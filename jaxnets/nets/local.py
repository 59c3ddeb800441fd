"""Layers that look locally as convolutions do, with weights of their own at every place."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets.nets.learned import Initialiser, learned
from jaxnets.nets.norms import norm
from jaxnets.nets.parts import ACTIVATIONS, Manner, same
from jaxnets.nets.watched import OUTPUT, RESPONSE, seen


@functools.cache
def at_each_place(init: Initialiser, side: int) -> Initialiser:
  """Draws the weights of every place as `init` draws those of a convolution of that side."""

  def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    height, width, seen, features = shape
    window = (side, side, seen // side**2, features)
    keys = jax.random.split(key, height * width)
    return jax.vmap(lambda key: init(key, window))(keys).reshape(shape)

  return draw


class LocalConv(nn.Module):
  """A convolution of stride 1 and "same" padding whose weights are not shared.

  [batch, height, width, in] -> [batch, height, width, features]; kernel float32
  [height, width, side * side * in, features], bias [height, width, features].
  LeCun 1989, "Generalization and network design strategies", section 5.3: the net with local
  connections, before weights are shared.
  """

  features: int
  side: int
  kernel_init: Initialiser

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    _, height, width, channels = x.shape
    padded = jnp.pad(x, ((0, 0), *same(self.side), (0, 0)))
    shifts = [(i, j) for i in range(self.side) for j in range(self.side)]
    seen_from = [padded[:, i : i + height, j : j + width] for i, j in shifts]
    patches = jnp.concatenate(seen_from, axis=-1)
    shape = (height, width, len(shifts) * channels, self.features)
    init = at_each_place(self.kernel_init, self.side)
    kernel = learned(self, "kernel", init, shape).astype(x.dtype)
    bias = learned(self, "bias", nn.initializers.zeros, (height, width, self.features))
    return jnp.einsum("bhwi,hwio->bhwo", patches, kernel) + bias.astype(x.dtype)


def layer(
  x: jax.Array, features: int, side: int, manner: Manner, *, bias: bool, name: str, train: bool
) -> jax.Array:
  """Local layer `name`, norm `name`_norm, activation, as `parts.layer`; it always has a bias."""
  assert bias
  convolve = LocalConv(features, side, manner.kernel_init, name=name)
  normalise = norm(manner.norm, features, group=manner.norm_group, epsilon=manner.norm_epsilon,
                   scale_init=nn.initializers.ones, name=f"{name}_norm")  # fmt: skip
  response = seen(convolve, RESPONSE, normalise(convolve(x), train=train))
  return seen(convolve, OUTPUT, ACTIVATIONS[manner.activation](response))
