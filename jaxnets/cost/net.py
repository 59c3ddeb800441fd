"""A net counted on one image, whatever form its kernels have where it runs."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import kernels, nets
from jaxnets.cost.count import Cost, of


def shapes_of(net: nets.Net, side: int, channels: int = 3) -> tuple[Any, Any]:
  """Parameters and statistics of a net, as shapes.

  Args:
    net: as built.
    side: of its images, px.
    channels: of its images.
  """
  with kernels.assumed("definition"):
    return jax.eval_shape(lambda: net.init(jax.random.key(0), (1, side, side, channels)))


def count_net(
  net: nets.Net, shapes: tuple[Any, Any], side: int, channels: int = 3, *, train: bool = False
) -> Cost:
  """Cost of the logits of one image.

  Args:
    net: as built.
    shapes: what `shapes_of` gives of it.
    side: of the image, px.
    channels: of the image.
    train: whether the pass is one in training; auxiliary heads do not count in either.
  """
  key = jax.random.key(0) if train else None

  def forward(params, stats, image):
    return net.apply(params, stats, image, train=train, key=key).logits

  image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
  with kernels.assumed("definition"):  # the counts are those of any form; this is traced fastest
    return of(forward, *shapes, image)
