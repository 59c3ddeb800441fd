"""What two or more of the nets are made of: convolution, dropout, pooling, heads."""

import functools
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets.learned import Initialiser, learned
from jaxnets.nets.norms import Moments, finish, norm
from jaxnets.nets.watched import OUTPUT, RESPONSE, Place, is_watched, seen


class ImageSizeError(ConfigError):
  """A window does not fit into the map that it meets, or parameters do not fit the images."""


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  "relu": nn.relu,
  "leaky_relu": nn.leaky_relu,
  "tanh": nn.tanh,
  "sigmoid": nn.sigmoid,
  "gelu": nn.gelu,
  "swish": nn.swish,
  "identity": lambda x: x,
}


def scaled(channels: int, width: float, groups: int = 1) -> int:
  """`channels` times `width`, to the nearest multiple of `groups`, at least one per group."""
  return max(1, round(channels * width / groups)) * groups


@functools.cache
def he(mode: Literal["fan_in", "fan_out"] = "fan_out") -> Initialiser:
  """He et al. 2015 (1502.01852), section 2.2: normal with variance 2 / fan."""
  return nn.initializers.variance_scaling(2.0, mode, "normal")


@functools.cache
def gaussian(std: float) -> Initialiser:
  """Normal with mean 0 and the given standard deviation."""
  return nn.initializers.normal(std)


@functools.cache
def constant(value: float) -> Initialiser:
  """The same value everywhere."""
  return nn.initializers.constant(value)


KERNEL_INITS: dict[str, Initialiser] = {"he": he(), "glorot": nn.initializers.glorot_normal()}


class Manner(NamedTuple):
  """What all layers of a net have in common."""

  activation: str
  norm: str
  norm_group: int
  norm_epsilon: float = 1e-5
  kernel_init: Initialiser = KERNEL_INITS["he"]


def same(kernel: int) -> kernels.Padding:
  """Padding on both sides that keeps the size at stride 1; kernels of odd size."""
  side = (kernel // 2, (kernel - 1) // 2)
  return side, side


def ceil(size: int, window: int, stride: int) -> tuple[int, int]:
  """Padding at the end so that the last, partial window counts too ("ceil mode")."""
  steps = max(0, -(-(size - window) // stride))
  return (0, max(0, steps * stride + window - size))


class Conv(nn.Module):
  """Convolution with "same" padding unless given, kernel in float32, computed in x's dtype.

  [batch, height, width, in] -> [batch, height', width', features].
  """

  features: int
  kernel: int | tuple[int, int]
  stride: int = 1
  padding: kernels.Padding | None = None  # None: keeps the size at stride 1
  groups: int = 1
  bias: bool = True
  kernel_init: Initialiser = he()
  bias_init: Initialiser = nn.initializers.zeros

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    *,
    moments: Moments | None = None,
    add: jax.Array | None = None,
    relu: bool = False,
  ) -> jax.Array:
    """The convolution; with `moments` normalised by them, summed with `add` and rectified too."""
    height, width = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * 2
    padding = self.padding or (same(height)[0], same(width)[1])
    _check_size(self, x, (height, width), padding)
    _check_groups(self, x)
    shape = (height, width, x.shape[-1] // self.groups, self.features)
    kernel = learned(self, "kernel", self.kernel_init, shape)
    bias = None
    if self.bias:
      bias = learned(self, "bias", self.bias_init, (self.features,)).astype(x.dtype)
    geometry = {"stride": (self.stride,) * 2, "padding": padding, "groups": self.groups}
    if moments is None:
      return kernels.conv(x, kernel.astype(x.dtype), bias, relu=relu, **geometry)
    return kernels.conv_normalised(
      x, kernel.astype(x.dtype), bias, *moments, add=add, relu=relu, **geometry
    )


class Dense(nn.Module):
  """Fully connected layer, kernel in float32, computed in x's dtype.

  [..., in] -> [..., features].
  """

  features: int
  kernel_init: Initialiser = nn.initializers.lecun_normal()
  bias_init: Initialiser = nn.initializers.zeros
  bias: bool = True

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = learned(self, "kernel", self.kernel_init, (x.shape[-1], self.features))
    x = x @ kernel.astype(x.dtype)
    if self.bias:
      x = x + learned(self, "bias", self.bias_init, (self.features,)).astype(x.dtype)
    return x


def layer(
  x: jax.Array,
  features: int,
  kernel: int | tuple[int, int],
  manner: Manner,
  *,
  name: str,
  train: bool,
  norm_name: str = "",
  stride: int = 1,
  padding: kernels.Padding | None = None,
  groups: int = 1,
  bias: bool | None = None,
  bias_init: Initialiser = nn.initializers.zeros,
  scale_init: Initialiser = nn.initializers.ones,
  add: jax.Array | None = None,
  activation: str = "",
) -> jax.Array:
  """Convolution `name`, norm `name`_norm, sum with `add`, activation.

  A bias, unless given, where no norm is. `norm_name` and `activation` say what is not so by
  `name` and `manner`. At inference batch norm is part of the convolution.

  [batch, height, width, in] -> [batch, height', width', features].
  """
  convolve = Conv(
    features,
    kernel,
    stride,
    padding,
    groups,
    bias=manner.norm == "none" if bias is None else bias,
    kernel_init=manner.kernel_init,
    bias_init=bias_init,
    name=name,
  )
  normalise = norm(
    manner.norm,
    features,
    group=manner.norm_group,
    epsilon=manner.norm_epsilon,
    scale_init=scale_init,
    name=norm_name or f"{name}_norm",
  )
  activation = activation or manner.activation
  relu = activation == "relu"
  if is_watched(convolve):
    response = seen(convolve, RESPONSE, normalise(convolve(x), train=train))
    x = finish(response, add, relu)
  elif manner.norm == "none" and add is None:
    x = convolve(x, relu=relu)
  elif manner.norm == "batch" and not train:
    x = convolve(x, moments=normalise.moments(), add=add, relu=relu)
  else:
    x = normalise(convolve(x), train=train, add=add, relu=relu)
  return seen(convolve, OUTPUT, x if relu else ACTIVATIONS[activation](x))


Rate = float | jax.Array | None  # of dropout; None: there is none


def rate_of(own: float, given: Rate) -> Rate:
  """A net's rate of dropout: the one given, unless the net has none of its own."""
  if own == 0.0:
    return None
  return own if given is None else given


def dropout(x: jax.Array, rate: Rate, *, train: bool, name: str) -> jax.Array:
  """Zeroes each value with probability `rate` in training and scales the rest to keep the mean."""
  if rate is None or not train:
    return x
  return Dropout(name=name)(x, rate)


class Dropout(nn.Module):
  """Srivastava et al. 2014 with the scaling in training; the rate may be traced, in [0, 1)."""

  @nn.compact
  def __call__(self, x: jax.Array, rate: float | jax.Array) -> jax.Array:
    kept = jax.random.bernoulli(self.make_rng("dropout"), 1.0 - rate, x.shape)
    return jnp.where(kept, x / jnp.asarray(1.0 - rate, x.dtype), jnp.zeros_like(x))


def pool(
  x: jax.Array,
  kind: str,
  window: int,
  stride: int,
  padding: kernels.Padding = kernels.NO_PADDING,
) -> jax.Array:
  """Pooling of the given kind, "max" or "average"."""
  if min(s + sum(p) for s, p in zip(x.shape[1:3], padding, strict=True)) < window:
    raise _too_small(f"a {window}x{window} pooling window", x)
  operation = {"max": kernels.max_pool, "average": kernels.average_pool}[kind]
  return operation(x, window, stride, padding)


def halve(x: jax.Array, kind: str, window: int) -> jax.Array:
  """Pooling at stride 2 that keeps the last, partial window: size n becomes about n / 2."""
  return pool(x, kind, window, 2, (ceil(x.shape[1], window, 2), ceil(x.shape[2], window, 2)))


def classify(
  x: jax.Array,
  classes: int,
  *,
  head: str,
  hidden: Sequence[int],
  activation: str,
  rate: Rate,
  train: bool,
  place: str = "after",
  inits: tuple[Initialiser, Initialiser] = (gaussian(0.01), constant(0.0)),
  hidden_inits: tuple[Initialiser, Initialiser] = (he("fan_in"), constant(0.0)),
) -> jax.Array:
  """The head of a net: maps [batch, height, width, channels] -> logits float32 [batch, classes].

  "gap": global average pooling, dropout, one linear layer (Szegedy et al. 2014, section 5).
  "fc": hidden layers on the flattened map, each with dropout "after" its activation, as in the
  papers of AlexNet and VGG, or "before" the layer, as in torchvision.
  """
  if head == "gap":
    x = Place(name="maps")(x.astype(jnp.float32)).mean((1, 2))
    x = dropout(x, rate, train=train, name="dropout")
    last = Dense(classes, *inits, name="head")
    return seen(last, OUTPUT, last(x))
  x = x.reshape(x.shape[0], -1)
  for i, width in enumerate(hidden, start=1):
    if place == "before":
      x = dropout(x, rate, train=train, name=f"dropout{i}")
    dense = Dense(width, *hidden_inits, name=f"hidden{i}")
    x = seen(dense, OUTPUT, ACTIVATIONS[activation](seen(dense, RESPONSE, dense(x))))
    if place == "after":
      x = dropout(x, rate, train=train, name=f"dropout{i}")
  last = Dense(classes, *inits, name="head")
  return seen(last, OUTPUT, last(x.astype(jnp.float32)))


def _check_size(module: nn.Module, x: jax.Array, kernel: tuple[int, int], padding) -> None:
  if any(s + sum(p) < k for s, p, k in zip(x.shape[1:3], padding, kernel, strict=True)):
    raise _too_small(f"{module.name}, a {kernel[0]}x{kernel[1]} convolution", x)


def _check_groups(module: Conv, x: jax.Array) -> None:
  if x.shape[-1] % module.groups or module.features % module.groups:
    raise ConfigError(
      f"net.groups (={module.groups}) must divide the channels into and out of {module.name} "
      f"(={x.shape[-1]}, {module.features})"
    )


def _too_small(what: str, x: jax.Array) -> ImageSizeError:
  return ImageSizeError(
    f"image too small for the net: {what} meets a map of {x.shape[1]}x{x.shape[2]}"
  )
