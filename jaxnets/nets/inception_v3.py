"""Inception-v3, Szegedy et al. 2015 (1512.00567), as its authors released it.

The layer table is that of the released net (TensorFlow's, and torchvision's), which differs from
the paper's table 1. Average pooling in the modules does not count padding, as in TensorFlow;
torchvision counts it.
"""

import jax
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets import parts
from jaxnets.nets.inception import Branch, Inception, Layer, Pool
from jaxnets.nets.parts import scaled

# Channels of the pooled branch of each module of stage 1, of the 7x7 branches of stage 2.
POOLED = (32, 64, 64)
SEVENS = (128, 160, 160, 192)
AVERAGE = Pool("average")


class InceptionV3(nn.Module):
  """Images [batch, height, width, channels] -> logits float32 [batch, classes]."""

  classes: int
  dtype: str
  norm_group: int
  depth: int
  units: tuple[int, ...]
  width: float
  activation: str
  norm: str
  norm_epsilon: float
  pooling: str
  head: str
  hidden: int
  dropout: float
  aux: bool
  aux_weight: float
  stem: str
  weight_init: str
  remat: tuple[int, ...]

  @nn.compact
  def __call__(self, images: jax.Array, *, train: bool, dropout: parts.Rate = None) -> jax.Array:
    units = self.units or units_of(self.depth)
    if len(units) != 3:
      raise ConfigError(f"net.units (={units}) must be three numbers, for stages 1, 2 and 3")
    manner = parts.Manner(
      self.activation,
      self.norm,
      self.norm_group,
      self.norm_epsilon,
      parts.KERNEL_INITS[self.weight_init],
    )

    x = self.begin(images.astype(self.dtype), manner, train=train)
    for s, plans in enumerate(self.plans(units), start=1):
      inception = nn.remat(Inception, static_argnums=(2,)) if s in self.remat else Inception
      if s > 1:
        halving = module_b(self.pooling) if s == 2 else module_d(self.pooling)
        x = inception(self.widen(halving), manner, name=f"reduction{s}")(x, train)
      for m, plan in enumerate(plans, start=1):
        x = inception(self.widen(plan), manner, name=f"stage{s}_inception{m}")(x, train)
      if s == 2 and self.aux and (train or self.is_initializing()):
        head = AuxHead(self.classes, self.width, manner, name="aux1_head")
        self.sow("aux", "aux1", head(x, train=train))

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
    """All before the first module: five convolutions."""
    imagenet = self.stem == "imagenet"
    stride, valid = (2, kernels.NO_PADDING) if imagenet else (1, None)

    def convolve(x, name, channels, kernel, stride=1, padding=None):
      features = scaled(channels, self.width)
      return parts.layer(
        x, features, kernel, manner, stride=stride, padding=padding, name=name, train=train
      )

    x = convolve(x, "conv1", 32, 3, stride, valid)
    x = convolve(x, "conv2", 32, 3, padding=valid)
    x = convolve(x, "conv3", 64, 3)
    if imagenet:
      x = parts.pool(x, self.pooling, 3, 2)
    x = convolve(x, "conv4", 80, 1)
    x = convolve(x, "conv5", 192, 3, padding=valid)
    if imagenet:
      x = parts.pool(x, self.pooling, 3, 2)
    return x

  def plans(self, units: tuple[int, ...]) -> tuple[tuple[tuple[Branch, ...], ...], ...]:
    """The modules of each stage; past the end of a table its last row again."""
    first, second, third = units
    return (
      tuple(module_a(POOLED[min(m, len(POOLED) - 1)]) for m in range(first)),
      tuple(module_c(SEVENS[min(m, len(SEVENS) - 1)]) for m in range(second)),
      (module_e(),) * third,
    )

  def widen(self, step):
    """A plan, or a part of it, with every channel count times `width`."""
    match step:
      case Layer():
        return step._replace(features=scaled(step.features, self.width))
      case Pool():
        return step
    return tuple(self.widen(part) for part in step)


NET = InceptionV3


class AuxHead(nn.Module):
  """Auxiliary classifier, paper section 4."""

  classes: int
  width: float
  manner: parts.Manner

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    x = parts.pool(x, "average", 5, 3)
    x = parts.layer(x, scaled(128, self.width), 1, self.manner, name="conv1", train=train)
    # 5x5 in the published net, where it covers the whole map; on smaller maps no larger than they.
    kernel = (min(5, x.shape[1]), min(5, x.shape[2]))
    wide = scaled(768, self.width)
    x = parts.layer(
      x, wide, kernel, self.manner, padding=kernels.NO_PADDING, name="conv2", train=train
    )
    return parts.classify(
      x, self.classes, head="gap", hidden=(), activation="relu", rate=None, train=train
    )


def module_a(pooled: int) -> tuple[Branch, ...]:
  """Paper figure 5: the 5x5 beside two 3x3 (the released net keeps both)."""
  return (
    (Layer("1x1", 64, 1),),
    (Layer("5x5_reduce", 48, 1), Layer("5x5", 64, 5)),
    (Layer("double_reduce", 64, 1), Layer("double_3x3_1", 96, 3), Layer("double_3x3_2", 96, 3)),
    (AVERAGE, Layer("pool_projection", pooled, 1)),
  )


def module_b(pooling: str) -> tuple[Branch, ...]:
  """Paper figure 10: halves the size."""
  return (
    (Layer("3x3", 384, 3, stride=2),),
    (
      Layer("double_reduce", 64, 1),
      Layer("double_3x3_1", 96, 3),
      Layer("double_3x3_2", 96, 3, stride=2),
    ),
    (Pool(pooling, stride=2),),
  )


def module_c(inner: int) -> tuple[Branch, ...]:
  """Paper figure 6 with n = 7: 7x7 convolutions as 1x7 and 7x1."""
  return (
    (Layer("1x1", 192, 1),),
    (
      Layer("7x7_reduce", inner, 1),
      Layer("1x7", inner, (1, 7)),
      Layer("7x1", 192, (7, 1)),
    ),
    (
      Layer("double_reduce", inner, 1),
      Layer("double_7x1_1", inner, (7, 1)),
      Layer("double_1x7_1", inner, (1, 7)),
      Layer("double_7x1_2", inner, (7, 1)),
      Layer("double_1x7_2", 192, (1, 7)),
    ),
    (AVERAGE, Layer("pool_projection", 192, 1)),
  )


def module_d(pooling: str) -> tuple[Branch, ...]:
  """Halves the size before the last stage."""
  return (
    (Layer("3x3_reduce", 192, 1), Layer("3x3", 320, 3, stride=2)),
    (
      Layer("7x7_reduce", 192, 1),
      Layer("1x7", 192, (1, 7)),
      Layer("7x1", 192, (7, 1)),
      Layer("7x7_3x3", 192, 3, stride=2),
    ),
    (Pool(pooling, stride=2),),
  )


def module_e() -> tuple[Branch, ...]:
  """Paper figure 7: branches that fork at their end."""
  return (
    (Layer("1x1", 320, 1),),
    (
      Layer("3x3_reduce", 384, 1),
      (Layer("1x3", 384, (1, 3)), Layer("3x1", 384, (3, 1))),
    ),
    (
      Layer("double_reduce", 448, 1),
      Layer("double_3x3", 384, 3),
      (Layer("double_1x3", 384, (1, 3)), Layer("double_3x1", 384, (3, 1))),
    ),
    (AVERAGE, Layer("pool_projection", 192, 1)),
  )


def units_of(depth: int) -> tuple[int, ...]:
  """Modules in the three stages: (3, 4, 2) at depth 48, other depths by more or less of stage 2."""
  modules, rest = divmod(depth - 28, 5)
  if rest or modules < 1:
    near = max(1, round((depth - 28) / 5)) * 5 + 28
    raise ConfigError(f"net.depth (={depth}) must be 5n+28 and at least 33; nearest: {near}")
  return (3, modules, 2)
