"""The multi-layer perceptron: what convolution is compared with."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets.nets import norms, parts
from jaxnets.nets.parts import ACTIVATIONS, Dense, scaled
from jaxnets.nets.watched import OUTPUT, RESPONSE, seen

INITS = {"he": parts.he("fan_in"), "glorot": nn.initializers.glorot_normal()}


class MLP(nn.Module):
  """Images [batch, height, width, channels] -> logits float32 [batch, classes]."""

  classes: int
  dtype: str
  norm_group: int
  depth: int
  hidden: int
  width: float
  activation: str
  norm: str
  dropout: float
  weight_init: str

  @nn.compact
  def __call__(self, images: jax.Array, *, train: bool, dropout: parts.Rate = None) -> jax.Array:
    init, rate = INITS[self.weight_init], parts.rate_of(self.dropout, dropout)
    x = images.reshape(images.shape[0], -1).astype(self.dtype)
    for i in range(1, self.depth):
      bias = self.norm == "none"
      features = scaled(self.hidden, self.width)
      dense = Dense(features, init, bias=bias, name=f"hidden{i}")
      normalise = norms.norm(self.norm, features, group=self.norm_group, name=f"hidden{i}_norm")
      x = seen(dense, RESPONSE, normalise(dense(x), train=train))
      x = seen(dense, OUTPUT, ACTIVATIONS[self.activation](x))
      x = parts.dropout(x, rate, train=train, name=f"dropout{i}")
    last = Dense(self.classes, init, name="head")
    return seen(last, OUTPUT, last(x.astype(jnp.float32)))


NET = MLP
