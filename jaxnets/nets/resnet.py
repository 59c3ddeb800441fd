"""Residual networks and their plain controls.

He et al. 2015 (1512.03385) for ImageNet (table 1) and CIFAR-10 (section 4.2); pre-activation units
of He et al. 2016 (1603.05027); ResNeXt's groups (1611.05431) and wide nets (1605.07146) are values
of the same axes. `shortcut="none"` is the plain control, nothing else changed.

Deviation from the paper: by default the stride of a bottleneck unit is on its 3x3 convolution
("v1.5", as in torchvision); `stride_first=True` is the paper's net ("v1").
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets import parts
from jaxnets.nets.norms import norm
from jaxnets.nets.parts import ACTIVATIONS, Conv, scaled
from jaxnets.nets.watched import OUTPUT, RESPONSE, is_watched, seen

# Units in each stage, paper table 1; other depths have equally many units in every stage.
DEPTHS = {
  ("basic", 18): (2, 2, 2, 2),
  ("basic", 34): (3, 4, 6, 3),
  ("bottleneck", 50): (3, 4, 6, 3),
  ("bottleneck", 101): (3, 4, 23, 3),
  ("bottleneck", 152): (3, 8, 36, 3),
}
CONVOLUTIONS = {"basic": 2, "bottleneck": 3}  # in a unit


class Layer(NamedTuple):
  """One convolution of a unit."""

  features: int
  kernel: int
  stride: int
  groups: int


class Manner(NamedTuple):
  """What all units of a net have in common."""

  layers: parts.Manner
  shortcut: str
  preactivation: bool
  zero_last_scale: bool


class ResNet(nn.Module):
  """Images [batch, height, width, channels] -> logits float32 [batch, classes]."""

  classes: int
  dtype: str
  norm_group: int
  depth: int
  units: tuple[int, ...]
  widths: tuple[int, ...]
  width: float
  unit: str
  bottleneck: float
  groups: int
  kernel: int
  shortcut: str
  preactivation: bool
  stride_first: bool
  activation: str
  norm: str
  zero_last_scale: bool
  stem: str
  stem_width: int
  pooling: str
  head: str
  hidden: int
  dropout: float
  dropout_place: str
  weight_init: str
  remat: tuple[int, ...]

  @nn.compact
  def __call__(self, images: jax.Array, *, train: bool, dropout: parts.Rate = None) -> jax.Array:
    units = self.units or units_of(self.depth, self.unit, len(self.widths))
    if len(units) != len(self.widths):
      raise ConfigError(f"net.units (={units}) must have one number per stage of {self.widths}")
    if any(s > len(units) for s in self.remat):
      raise ConfigError(f"net.remat (={self.remat}) must name stages 1 to {len(units)}")
    layers = parts.Manner(
      self.activation,
      self.norm,
      self.norm_group,
      kernel_init=parts.KERNEL_INITS[self.weight_init],
    )
    manner = Manner(layers, self.shortcut, self.preactivation, self.zero_last_scale)
    rate = parts.rate_of(self.dropout, dropout)

    x = images.astype(self.dtype)
    kernel, stride = (7, 2) if self.stem == "imagenet" else (3, 1)
    stem = Layer(scaled(self.stem_width, self.width), kernel, stride, 1)
    if self.preactivation:
      x = conv(x, stem, layers, name="stem")
    else:
      x = layer(x, stem, layers, name="stem", norm_name="stem_norm", train=train)
    if self.stem == "imagenet":
      x = parts.pool(x, self.pooling, 3, 2, ((1, 1), (1, 1)))

    for s, (repeats, channels) in enumerate(zip(units, self.widths, strict=True), start=1):
      plans = tuple(
        self.plan(channels, stride=2 if s > 1 and u == 0 else 1) for u in range(repeats)
      )
      stage = nn.remat(Stage, static_argnums=(2,)) if s in self.remat else Stage
      x = stage(plans, manner, name=f"stage{s}")(
        x, train, rate if self.dropout_place == "unit" else None
      )

    if self.preactivation:
      x = activated(x, layers, name="last_norm", train=train)
    return parts.classify(
      x,
      self.classes,
      head=self.head,
      hidden=(scaled(self.hidden, self.width),) * 2,
      activation=self.activation,
      rate=rate if self.dropout_place == "head" else None,
      train=train,
    )

  def plan(self, channels: int, stride: int) -> tuple[Layer, ...]:
    """The convolutions of a unit with `channels` going out, paper figure 5."""
    out = scaled(channels, self.width)
    inner = scaled(channels, self.width / self.bottleneck, self.groups)
    if self.unit == "basic":
      return (
        Layer(inner, self.kernel, stride, self.groups),
        Layer(out, self.kernel, 1, self.groups),
      )
    first, middle = (stride, 1) if self.stride_first else (1, stride)
    return (
      Layer(inner, 1, first, 1),
      Layer(inner, self.kernel, middle, self.groups),
      Layer(out, 1, 1, 1),
    )


NET = ResNet


class Stage(nn.Module):
  """Units on maps of one size; the first of them may halve it."""

  plans: tuple[tuple[Layer, ...], ...]
  manner: Manner

  @nn.compact
  def __call__(self, x: jax.Array, train: bool, rate: parts.Rate) -> jax.Array:
    unit = PreactivationUnit if self.manner.preactivation else Unit
    # Units of one plan are traced once: of ResNet-152's 50 units 8. But parameters are drawn one by
    # one, lest their last bits depend on what they are compiled with.
    if kernels.is_read() or not self.is_initializing():
      unit = nn.jit(unit, static_argnames=("train",))
    for u, plan in enumerate(self.plans, start=1):
      with jax.named_scope(f"unit{u}"):
        x = unit(plan, self.manner, name=f"unit{u}")(x, rate, train=train)
    return x


class Unit(nn.Module):
  """Convolution, norm, activation, ..., convolution, norm; add the shortcut; activation."""

  plan: tuple[Layer, ...]
  manner: Manner

  @nn.compact
  def __call__(self, x: jax.Array, rate: parts.Rate, *, train: bool) -> jax.Array:
    *inner, last = self.plan
    manner, y = self.manner, x
    for i, plan in enumerate(inner, start=1):
      y = layer(y, plan, manner.layers, name=f"conv{i}", norm_name=f"norm{i}", train=train)
      y = parts.dropout(y, rate, train=train, name=f"dropout{i}")
    return layer(
      y,
      last,
      manner.layers,
      name=f"conv{len(self.plan)}",
      norm_name=f"norm{len(self.plan)}",
      scale_init=nn.initializers.zeros if manner.zero_last_scale else nn.initializers.ones,
      add=None if manner.shortcut == "none" else self.skip(x, last.features, train=train),
      train=train,
    )

  def skip(self, x: jax.Array, features: int, *, train: bool) -> jax.Array:
    """The unit's input in the shape of its output, options A, B and C of section 3.3."""
    stride = _stride(self.plan)
    if not projects(self.manner.shortcut, x, features, stride):
      return subsample(x, stride, features)
    return layer(
      x,
      Layer(features, 1, stride, 1),
      self.manner.layers,
      name="projection",
      norm_name="projection_norm",
      activation="identity",
      train=train,
    )


class PreactivationUnit(nn.Module):
  """Norm, activation, convolution, repeated; add the shortcut. He et al. 2016, figure 4e."""

  plan: tuple[Layer, ...]
  manner: Manner

  @nn.compact
  def __call__(self, x: jax.Array, rate: parts.Rate, *, train: bool) -> jax.Array:
    *inner, last = self.plan
    manner, stride = self.manner, _stride(self.plan)
    first = y = activated(x, manner.layers, name="norm1", train=train)
    # A convolution and the norm and activation that follow it are one layer.
    for i, plan in enumerate(inner, start=1):
      y = layer(y, plan, manner.layers, name=f"conv{i}", norm_name=f"norm{i + 1}", train=train)
      y = parts.dropout(y, rate, train=train, name=f"dropout{i}")
    y = conv(y, last, manner.layers, name=f"conv{len(self.plan)}")
    if manner.shortcut == "none":
      return y
    if projects(manner.shortcut, x, last.features, stride):
      return y + conv(first, Layer(last.features, 1, stride, 1), manner.layers, name="projection")
    return y + subsample(x, stride, last.features)


def units_of(depth: int, unit: str, stages: int) -> tuple[int, ...]:
  """Units in each stage of the net with `depth` layers: first convolution, units, classifier."""
  if stages == 4 and (unit, depth) in DEPTHS:
    return DEPTHS[unit, depth]
  step = CONVOLUTIONS[unit] * stages
  if depth < step + 2 or (depth - 2) % step:
    near = max(1, round((depth - 2) / step)) * step + 2
    published = [d for u, d in DEPTHS if u == unit and stages == 4]
    also = f", or one of {published}," if published else ""
    raise ConfigError(
      f"net.depth (={depth}) must be {step}n+2{also} with {unit} units in {stages} stages; "
      f"nearest: {near}"
    )
  return ((depth - 2) // step,) * stages


def layer(x: jax.Array, plan: Layer, manner: parts.Manner, **more) -> jax.Array:
  """Convolution, norm, sum, activation: `parts.layer` by a plan."""
  features, kernel, stride, groups = plan
  return parts.layer(x, features, kernel, manner, stride=stride, groups=groups, **more)


def conv(x: jax.Array, plan: Layer, manner: parts.Manner, name: str) -> jax.Array:
  """A convolution that no norm follows directly; it has a bias only in a net without norms."""
  convolve = Conv(
    *plan[:3],
    groups=plan.groups,
    bias=manner.norm == "none",
    kernel_init=manner.kernel_init,
    name=name,
  )
  return seen(convolve, OUTPUT, convolve(x))


def activated(x: jax.Array, manner: parts.Manner, *, name: str, train: bool) -> jax.Array:
  """Norm and activation, before a convolution."""
  relu = manner.activation == "relu"
  normalise = norm(manner.norm, x.shape[-1], group=manner.norm_group, name=name)
  if isinstance(normalise, nn.Module) and is_watched(normalise):
    response = seen(normalise, RESPONSE, normalise(x, train=train))
    return seen(normalise, OUTPUT, ACTIVATIONS[manner.activation](response))
  x = normalise(x, train=train, relu=relu)
  return x if relu else ACTIVATIONS[manner.activation](x)


def projects(shortcut: str, x: jax.Array, features: int, stride: int) -> bool:
  """Whether the shortcut is a 1x1 convolution: C always, B where the shape changes, A never."""
  changes = stride > 1 or x.shape[-1] != features
  return shortcut == "C" or (shortcut == "B" and changes)


def subsample(x: jax.Array, stride: int, channels: int) -> jax.Array:
  """Every `stride`-th pixel, channels filled up with zeros: option A, without parameters."""
  if channels < x.shape[-1]:
    raise ConfigError(
      f"net.widths must not fall from stage to stage ({x.shape[-1]} to {channels} channels) with "
      "option-A shortcuts, which have no weights; nearest: net.shortcut=B"
    )
  x = x[:, ::stride, ::stride]
  return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))


def _stride(plan: tuple[Layer, ...]) -> int:
  return max(layer.stride for layer in plan)
