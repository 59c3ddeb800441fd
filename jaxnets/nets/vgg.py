"""VGG, Simonyan and Zisserman 2014 (1409.1556), table 1: configurations A to E.

Deviations: "he" initialisation unless asked otherwise, and the batch-normalised nets of
torchvision, which keep the biases of the convolutions.
"""

import functools

import jax
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets import local, parts
from jaxnets.nets.parts import constant, gaussian, scaled

# Convolutions in each stage, paper table 1.
DEPTHS = {
  11: (1, 1, 2, 2, 2),
  13: (2, 2, 2, 2, 2),
  16: (2, 2, 3, 3, 3),
  19: (2, 2, 4, 4, 4),
}
# Kernels of convolutions, of hidden layers, of the classifier.
INITS = {
  "paper": (gaussian(0.1),) * 3,
  "glorot": (nn.initializers.glorot_normal(),) * 3,
  "he": (parts.he(), parts.he("fan_in"), gaussian(0.01)),
}


class VGG(nn.Module):
  """Images [batch, height, width, channels] -> logits float32 [batch, classes]."""

  classes: int
  dtype: str
  norm_group: int
  depth: int
  units: tuple[int, ...]
  widths: tuple[int, ...]
  width: float
  kernel: int
  shared: bool
  pointwise_last: bool
  lrn: bool
  activation: str
  norm: str
  pooling: str
  pool_window: int
  head: str
  hidden: int
  dropout: float
  dropout_place: str
  stem: str
  weight_init: str
  remat: tuple[int, ...]

  @nn.compact
  def __call__(self, images: jax.Array, *, train: bool, dropout: parts.Rate = None) -> jax.Array:
    units = self.units or units_of(self.depth)
    if len(units) != len(self.widths):
      raise ConfigError(f"net.units (={units}) must have one number per stage of {self.widths}")
    if any(s > len(units) for s in self.remat):
      raise ConfigError(f"net.remat (={self.remat}) must name stages 1 to {len(units)}")
    kernel_init, hidden_init, last_init = INITS[self.weight_init]
    manner = parts.Manner(self.activation, self.norm, self.norm_group, kernel_init=kernel_init)

    x = images.astype(self.dtype)
    for s, (repeats, channels) in enumerate(zip(units, self.widths, strict=True), start=1):
      last = 1 if self.pointwise_last and repeats >= 3 else self.kernel
      sides = (self.kernel,) * (repeats - 1) + (last,)
      stage = nn.remat(Stage, static_argnums=(2,)) if s in self.remat else Stage
      features = scaled(channels, self.width)
      build = functools.partial(stage, features, sides, self.shared, self.lrn and s == 1, manner)
      x = build(name=f"stage{s}")(x, train)
      if self.stem == "small":
        x = parts.halve(x, self.pooling, self.pool_window)
      else:
        x = parts.pool(x, self.pooling, self.pool_window, 2)

    return parts.classify(
      x,
      self.classes,
      head=self.head,
      hidden=(scaled(self.hidden, self.width),) * 2,
      activation=self.activation,
      rate=parts.rate_of(self.dropout, dropout),
      place=self.dropout_place,
      train=train,
      inits=(last_init, constant(0.0)),
      hidden_inits=(hidden_init, constant(0.0)),
    )


NET = VGG


class Stage(nn.Module):
  """Convolutions on maps of one size."""

  features: int
  sides: tuple[int, ...]  # of the kernels
  shared: bool  # weights, by all places
  lrn: bool  # after the first convolution
  manner: parts.Manner

  @nn.compact
  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    layer = parts.layer if self.shared else local.layer
    for i, side in enumerate(self.sides, start=1):
      x = layer(x, self.features, side, self.manner, bias=True, name=f"conv{i}", train=train)
      if i == 1 and self.lrn:
        x = kernels.local_response_norm(x)
    return x


def units_of(depth: int) -> tuple[int, ...]:
  """Convolutions in each stage of the published net with `depth` layers."""
  if depth not in DEPTHS:
    near = min(DEPTHS, key=lambda published: abs(published - depth))
    raise ConfigError(
      f"net.depth (={depth}) must be one of {', '.join(map(str, DEPTHS))}, or give net.units; "
      f"nearest: {near}"
    )
  return DEPTHS[depth]
