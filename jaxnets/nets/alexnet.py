"""AlexNet, Krizhevsky et al. 2012, section 3.5 and figure 2, and its one-tower form of 2014.

The two GPUs of the paper are two groups in conv2, conv4 and conv5. The paper states images of
224 px; its 55x55 maps after conv1 need 227 px, which `alexnet` takes.
"""

from typing import NamedTuple

import jax
from flax import linen as nn

from jaxnets import kernels
from jaxnets.errors import ConfigError
from jaxnets.nets import parts
from jaxnets.nets.parts import constant, gaussian, scaled

DEPTHS = range(6, 13)
# Kernels; bias in the layers that see the other half of the maps, or in none; hidden kernels.
INITS = {
  "paper": (gaussian(0.01), constant(1.0), gaussian(0.01)),
  "caffe": (gaussian(0.01), constant(0.1), gaussian(0.01)),
  "he": (parts.he(), constant(0.0), parts.he("fan_in")),
}


class Layer(NamedTuple):
  """One convolution of the net."""

  features: int
  kernel: int
  grouped: bool  # in the two-tower net; these are also the layers with biases of 1
  normed: bool = False  # local response normalisation follows
  pooled: bool = False  # pooling follows


class AlexNet(nn.Module):
  """Images [batch, height, width, channels] -> logits float32 [batch, classes]."""

  classes: int
  dtype: str
  norm_group: int
  depth: int
  widths: tuple[int, ...]
  width: float
  first_kernels: tuple[int, ...]
  kernel: int
  groups: int
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
  stem_padding: int
  weight_init: str

  @nn.compact
  def __call__(self, images: jax.Array, *, train: bool, dropout: parts.Rate = None) -> jax.Array:
    kernel_init, bias_init, hidden_init = INITS[self.weight_init]
    manner = parts.Manner(self.activation, self.norm, self.norm_group, kernel_init=kernel_init)
    stride, padding = 1, None
    if self.stem == "imagenet":
      side = (self.stem_padding, self.stem_padding)
      stride, padding = 4, (side, side)

    x = images.astype(self.dtype)
    for i, plan in enumerate(self.plan(), start=1):
      x = parts.layer(
        x,
        scaled(plan.features, self.width, self.groups),
        plan.kernel,
        manner,
        stride=stride if i == 1 else 1,
        padding=padding if i == 1 else None,
        groups=self.groups if plan.grouped else 1,
        bias_init=bias_init if plan.grouped else constant(0.0),
        name=f"conv{i}",
        train=train,
      )
      if plan.normed and self.lrn:
        x = kernels.local_response_norm(x)
      if plan.pooled:
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
      hidden_inits=(hidden_init, bias_init),
    )

  def plan(self) -> tuple[Layer, ...]:
    """The convolutions; a deeper net repeats conv4, a shallower one lacks it, then conv3."""
    if self.depth not in DEPTHS:
      near = min(DEPTHS, key=lambda depth: abs(depth - self.depth))
      raise ConfigError(f"net.depth (={self.depth}) must be 6 to 12; nearest: {near}")
    if len(self.widths) != 5:
      raise ConfigError(f"net.widths (={self.widths}) must have five numbers, conv1 to conv5")
    first_kernels = self.first_kernels or ((11, 5) if self.stem == "imagenet" else (5, 5))
    if len(first_kernels) != 2:
      raise ConfigError(f"net.first_kernels (={first_kernels}) must be two, of conv1 and conv2")
    (one, two, three, four, five), (k1, k2) = self.widths, first_kernels
    middle = (Layer(three, self.kernel, False), *(Layer(four, self.kernel, True),) * 5)
    return (
      Layer(one, k1, False, normed=True, pooled=True),
      Layer(two, k2, True, normed=True, pooled=True),
      *middle[: self.depth - 6],
      Layer(five, self.kernel, True, pooled=True),
    )


NET = AlexNet
