"""What two or more of the nets are made of: convolution, normalisation, dropout, heads."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError

Initialiser = Callable[..., jax.Array]

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


def he(mode: str = "fan_out") -> Initialiser:
  """He et al. 2015 (1502.01852), section 2.2: normal with variance 2 / fan."""
  return nn.initializers.variance_scaling(2.0, mode, "normal")


def gaussian(std: float) -> Initialiser:
  """Normal with mean 0 and the given standard deviation."""
  return nn.initializers.normal(std)


def constant(value: float) -> Initialiser:
  """The same value everywhere."""
  return nn.initializers.constant(value)


def same(kernel: int) -> kernels.Padding:
  """Padding on both sides that keeps the size at stride 1; kernels of odd size."""
  return ((kernel // 2, (kernel - 1) // 2),) * 2


def ceil(size: int, window: int, stride: int) -> tuple[int, int]:
  """Padding at the end so that the last, partial window counts too ("ceil mode")."""
  return (0, max(0, (-(-(size - window) // stride)) * stride + window - size))


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
  def __call__(self, x: jax.Array) -> jax.Array:
    height, width = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * 2
    padding = self.padding or (same(height)[0], same(width)[1])
    _check_size(self, x, (height, width), padding)
    shape = (height, width, x.shape[-1] // self.groups, self.features)
    kernel = self.param("kernel", self.kernel_init, shape)
    x = kernels.conv(
      x,
      kernel.astype(x.dtype),
      stride=(self.stride, self.stride),
      padding=padding,
      groups=self.groups,
    )
    if self.bias:
      x = x + self.param("bias", self.bias_init, (self.features,)).astype(x.dtype)
    return x


class Dense(nn.Module):
  """Fully connected layer, kernel in float32, computed in x's dtype: [..., in] -> [..., features]."""

  features: int
  kernel_init: Initialiser = nn.initializers.lecun_normal()
  bias_init: Initialiser = nn.initializers.zeros

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
    bias = self.param("bias", self.bias_init, (self.features,))
    return x @ kernel.astype(x.dtype) + bias.astype(x.dtype)


class BatchNorm(nn.Module):
  """Batch normalisation, Ioffe and Szegedy 2015, over groups of `group` images.

  In training every run of `group` consecutive images (0: the whole batch) is normalised by its
  own moments, so the result does not depend on how the batch lies on devices. Otherwise the
  running averages normalise.
  """

  group: int = 0
  momentum: float = 0.9
  epsilon: float = 1e-5
  scale_init: Initialiser = nn.initializers.ones

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    shape = (x.shape[-1],)
    scale = self.param("scale", self.scale_init, shape)
    bias = self.param("bias", nn.initializers.zeros, shape)
    mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
    variance = self.variable("batch_stats", "variance", jnp.ones, shape)
    if not train:
      moments = mean.value[None], variance.value[None]
    else:
      moments = kernels.batch_moments(x, self.group or x.shape[0])
      if not self.is_initializing():
        for running, now in zip((mean, variance), moments, strict=True):
          running.value = self.momentum * running.value + (1 - self.momentum) * now.mean(0)
    return kernels.normalise(x, *moments, scale, bias, self.epsilon)


def norm(
  kind: str, *, group: int, name: str, epsilon: float = 1e-5, scale_init=nn.initializers.ones
) -> Callable[..., jax.Array]:
  """The normalisation layer called `kind`, as a function of (x, train).

  "batch" (statistics over `group` images), "group" (Wu and He 2018, 32 groups of channels, or as
  many as divide them) or "none".
  """
  if kind == "batch":
    return BatchNorm(group=group, epsilon=epsilon, scale_init=scale_init, name=name)
  if kind == "group":
    return GroupNorm(epsilon=epsilon, scale_init=scale_init, name=name)
  return lambda x, train: x


class GroupNorm(nn.Module):
  """Group normalisation, Wu and He 2018: moments per image over groups of channels."""

  groups: int = 32
  epsilon: float = 1e-5
  scale_init: Initialiser = nn.initializers.ones

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    del train  # the same in training and evaluation
    channels = x.shape[-1]
    groups = next(g for g in range(min(self.groups, channels), 0, -1) if channels % g == 0)
    scale = self.param("scale", self.scale_init, (channels,))
    bias = self.param("bias", nn.initializers.zeros, (channels,))
    grouped = x.reshape(x.shape[0], -1, groups, channels // groups).astype(jnp.float32)
    mean = grouped.mean((1, 3), keepdims=True)
    variance = jnp.square(grouped - mean).mean((1, 3), keepdims=True)
    out = ((grouped - mean) * jax.lax.rsqrt(variance + self.epsilon)).reshape(x.shape)
    return (out * scale + bias).astype(x.dtype)


def dropout(x: jax.Array, rate: float, *, train: bool, name: str) -> jax.Array:
  """Zeroes each value with probability `rate` in training and scales the rest to keep the mean."""
  if rate == 0.0:
    return x
  return nn.Dropout(rate, deterministic=not train, name=name)(x)


def pool(
  x: jax.Array,
  kind: str,
  window: int,
  stride: int,
  padding: kernels.Padding = ((0, 0), (0, 0)),
) -> jax.Array:
  """Pooling of the given kind, "max" or "average"."""
  if min(s + sum(p) for s, p in zip(x.shape[1:3], padding, strict=True)) < window:
    raise _too_small(f"a {window}x{window} pooling window", x)
  operation = {"max": kernels.max_pool, "average": kernels.average_pool}[kind]
  return operation(x, window, stride, padding)


def classify(
  x: jax.Array,
  classes: int,
  *,
  head: str,
  hidden: Sequence[int],
  activation: str,
  rate: float,
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
    x = x.astype(jnp.float32).mean((1, 2))
    x = dropout(x, rate, train=train, name="dropout")
    return Dense(classes, *inits, name="head")(x)
  x = x.reshape(x.shape[0], -1)
  for i, width in enumerate(hidden, start=1):
    if place == "before":
      x = dropout(x, rate, train=train, name=f"dropout{i}")
    x = ACTIVATIONS[activation](Dense(width, *hidden_inits, name=f"hidden{i}")(x))
    if place == "after":
      x = dropout(x, rate, train=train, name=f"dropout{i}")
  return Dense(classes, *inits, name="head")(x.astype(jnp.float32))


def _check_size(module: nn.Module, x: jax.Array, kernel: tuple[int, int], padding) -> None:
  if any(s + sum(p) < k for s, p, k in zip(x.shape[1:3], padding, kernel, strict=True)):
    raise _too_small(f"{module.name}, a {kernel[0]}x{kernel[1]} convolution", x)


def _too_small(what: str, x: jax.Array) -> ConfigError:
  return ConfigError(
    f"image too small for the net: {what} meets a map of {x.shape[1]}x{x.shape[2]}"
  )
