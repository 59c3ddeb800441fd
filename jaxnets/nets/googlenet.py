"""GoogLeNet, Szegedy et al. 2014 (1409.4842), table 1 and figure 3.

Where the paper is silent: local response normalisation has AlexNet's constants, pooling keeps
partial windows (as in Caffe's replication, and as the sizes of table 1 need), weights start from
He's distribution. `googlenet_tv` is torchvision's net, `googlenet_naive` the module of figure 2a.
"""

from typing import NamedTuple

import jax
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets import parts
from jaxnets.nets.inception import Branch, Inception, Layer, Pool
from jaxnets.nets.parts import scaled


class Row(NamedTuple):
  """Channels of a module, the columns of table 1."""

  one: int
  three_reduce: int
  three: int
  five_reduce: int
  five: int
  pool: int


STAGES = {
  3: (Row(64, 96, 128, 16, 32, 32), Row(128, 128, 192, 32, 96, 64)),
  4: (
    Row(192, 96, 208, 16, 48, 64),
    Row(160, 112, 224, 24, 64, 64),
    Row(128, 128, 256, 24, 64, 64),
    Row(112, 144, 288, 32, 64, 64),
    Row(256, 160, 320, 32, 128, 128),
  ),
  5: (Row(256, 160, 320, 32, 128, 128), Row(384, 192, 384, 48, 128, 128)),
}


class GoogLeNet(nn.Module):
  """Images [batch, height, width, channels] -> logits float32 [batch, classes]."""

  classes: int
  dtype: str
  norm_group: int
  depth: int
  units: tuple[int, ...]
  width: float
  branches: tuple[str, ...]
  reduction: bool
  bottleneck: float
  pool_projection: bool
  kernel: int
  large_kernel: int
  lrn: bool
  activation: str
  norm: str
  norm_epsilon: float
  pooling: str
  last_pool_window: int
  head: str
  hidden: int
  dropout: float
  aux: bool
  aux_weight: float
  aux_dropout: float
  aux_pooling: str
  stem: str
  weight_init: str
  remat: tuple[int, ...]

  @nn.compact
  def __call__(self, images: jax.Array, *, train: bool, dropout: parts.Rate = None) -> jax.Array:
    units = self.units or units_of(self.depth)
    if len(units) != len(STAGES):
      raise ConfigError(f"net.units (={units}) must be three numbers, for stages 3, 4 and 5")
    manner = parts.Manner(
      self.activation,
      self.norm,
      self.norm_group,
      self.norm_epsilon,
      parts.KERNEL_INITS[self.weight_init],
    )

    x = self.begin(images.astype(self.dtype), manner, train=train)
    for (stage, rows), repeats in zip(STAGES.items(), units, strict=True):
      if stage > 3:
        x = parts.halve(x, self.pooling, self.last_pool_window if stage == 5 else 3)
      inception = nn.remat(Inception, static_argnums=(2,)) if stage in self.remat else Inception
      # Aux heads: after the first module of stage 4 and the last but one, if that is another.
      tapped = {0: "aux1"} if repeats < 3 else {repeats - 2: "aux2", 0: "aux1"}
      for m in range(repeats):
        row = rows[min(m, len(rows) - 1)]
        x = inception(self.plan(row), manner, name=_name(stage, m))(x, train)
        if self.aux and stage == 4 and m in tapped and (train or self.is_initializing()):
          facts = (self.classes, self.width, self.aux_dropout, self.aux_pooling, manner)
          head = AuxHead(*facts, name=f"{tapped[m]}_head")
          self.sow("aux", tapped[m], head(x, train=train))

    return parts.classify(
      x,
      self.classes,
      head=self.head,
      hidden=(scaled(self.hidden, self.width),) * 2,
      activation=self.activation,
      rate=parts.rate_of(self.dropout, dropout),
      train=train,
    )

  def begin(self, x: jax.Array, manner: parts.Manner, *, train: bool) -> jax.Array:
    """All before the first module."""
    imagenet = self.stem == "imagenet"
    kernel, stride = (7, 2) if imagenet else (3, 1)
    narrow, wide = scaled(64, self.width), scaled(192, self.width)
    x = parts.layer(x, narrow, kernel, manner, stride=stride, name="conv1", train=train)
    if imagenet:
      x = parts.halve(x, self.pooling, 3)
    if self.lrn:
      x = kernels.local_response_norm(x)
    x = parts.layer(x, narrow, 1, manner, name="conv2_reduce", train=train)
    x = parts.layer(x, wide, 3, manner, name="conv2", train=train)
    if self.lrn:
      x = kernels.local_response_norm(x)
    if imagenet:
      x = parts.halve(x, self.pooling, 3)
    return x

  def plan(self, row: Row) -> tuple[Branch, ...]:
    """The branches of a module: figure 2b, or 2a without reductions and projection."""
    reduced = self.width * self.bottleneck
    one = Layer("1x1", scaled(row.one, self.width), 1)
    three_reduce = Layer("3x3_reduce", scaled(row.three_reduce, reduced), 1)
    three = Layer("3x3", scaled(row.three, self.width), self.kernel)
    five_reduce = Layer("5x5_reduce", scaled(row.five_reduce, reduced), 1)
    five = Layer("5x5", scaled(row.five, self.width), self.large_kernel)
    projection = Layer("pool_projection", scaled(row.pool, self.width), 1)
    branches: dict[str, Branch] = {
      "1x1": (one,),
      "3x3": (three_reduce, three) if self.reduction else (three,),
      "5x5": (five_reduce, five) if self.reduction else (five,),
      "pool": (Pool(self.pooling), projection) if self.pool_projection else (Pool(self.pooling),),
    }
    return tuple(branches[name] for name in branches if name in self.branches)


NET = GoogLeNet


class AuxHead(nn.Module):
  """Auxiliary classifier, section 5: pooling, 1x1 convolution, hidden layer, dropout, linear."""

  classes: int
  width: float
  dropout: float
  pooling: str
  manner: parts.Manner

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    if self.pooling == "adaptive":
      x = kernels.adaptive_average_pool(x, 4)
    else:
      x = parts.pool(x, "average", 5, 3)
    x = parts.layer(x, scaled(128, self.width), 1, self.manner, name="conv", train=train)
    return parts.classify(
      x,
      self.classes,
      head="fc",
      hidden=(scaled(1024, self.width),),
      activation=self.manner.activation,
      rate=parts.rate_of(self.dropout, None),
      train=train,
    )


def units_of(depth: int) -> tuple[int, ...]:
  """Modules in stages 3, 4 and 5: (2, 5, 2) at depth 22, other depths by more or less of 4."""
  modules, odd = divmod(depth - 4, 2)
  if odd or modules < 3:
    near = max(10, depth // 2 * 2)
    raise ConfigError(f"net.depth (={depth}) must be even and at least 10; nearest: {near}")
  side = 2 if modules >= 5 else 1
  return (side, modules - 2 * side, side)


def _name(stage: int, module: int) -> str:
  """3a, 3b, ... as in table 1; numbers after the letters."""
  return f"inception{stage}{chr(ord('a') + module) if module < 26 else module + 1}"
