"""A net counted on one image, whatever form its kernels have where it runs."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import kernels, nets
from jaxnets.cost.count import Cost, of


def abstract_key() -> jax.ShapeDtypeStruct:
  """The shape of a random key; to make one would start the devices."""
  return jax.eval_shape(lambda: jax.random.key(0))


def forward_of(net: nets.Net) -> Callable[..., jax.Array]:
  """(params, stats, images) -> logits, at inference."""
  return lambda params, stats, images: net.apply(params, stats, images).logits


def training_pass_of(net: nets.Net) -> Callable[..., tuple[jax.Array, tuple[jax.Array, ...]]]:
  """(params, stats, images, key) -> logits and those of the auxiliary heads, in training."""

  def forward(params, stats, images, key):
    output = net.apply(params, stats, images, train=True, key=key)
    return output.logits, output.aux

  return forward


def shapes_of(net: nets.Net, side: int, channels: int = 3) -> tuple[Any, Any]:
  """Parameters and statistics of a net, as shapes.

  Args:
    net: as built.
    side: of its images, px.
    channels: of its images.
  """
  with kernels.assumed("definition"):
    return jax.eval_shape(lambda key: net.init(key, (1, side, side, channels)), abstract_key())


def count_net(
  net: nets.Net, shapes: tuple[Any, Any], side: int, channels: int = 3, *, train: bool = False
) -> Cost:
  """Cost of a forward pass of one image.

  Args:
    net: as built.
    shapes: what `shapes_of` gives of it.
    side: of the image, px.
    channels: of the image.
    train: whether the pass is one in training, with the auxiliary heads of a net that has them.
  """
  image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
  with kernels.assumed("definition"):  # the counts are those of any form; this is traced fastest
    if train:
      return of(training_pass_of(net), *shapes, image, abstract_key())
    return of(forward_of(net), *shapes, image)
