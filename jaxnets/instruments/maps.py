"""Where in an image a net sees a class."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.errors import ConfigError
from jaxnets.nets import Net


def class_activation_map(
  net: Net, params: Any, stats: Any, images: jax.Array, classes: jax.Array
) -> jax.Array:
  """The class's weights of the last layer on the maps that the head averages.

  M(y, x) = sum over k of w_k f_k(y, x); its mean is the class's logit without bias. Zhou et al.
  2016 (1512.04150), equation 2. Negative values are kept.

  Args:
    images: [batch, height, width, channels].
    classes: int32 [batch], the class to look for in each image.

  Returns:
    float32 [batch, height', width'], in the size of the last maps.

  Raises:
    ConfigError: the head is not global average pooling and one linear layer.
  """
  _, layers = net.look(params, stats, images)
  if "maps" not in layers:
    raise ConfigError(
      f"{net.name} has no global average pooling before its last layer, which class activation "
      "maps need\nUse net.head=gap, or Grad-CAM at one of its layers"
    )
  return weigh_maps(layers["maps"].output, params["head"]["kernel"], classes)


def weigh_maps(maps: jax.Array, kernel: jax.Array, classes: jax.Array) -> jax.Array:
  """Maps [batch, height', width', channels] weighed by classes' columns of [channels, classes]."""
  return jnp.einsum("bhwk,bk->bhw", maps, kernel.T[classes], precision="highest")


def grad_cam(
  net: Net,
  params: Any,
  stats: Any,
  images: jax.Array,
  classes: jax.Array,
  layer: str = "maps",
  *,
  relu: bool = True,
) -> jax.Array:
  """The maps of a layer, weighted by the mean gradient of the class's logit on each.

  Selvaraju et al. 2017 (1610.02391), equations 1 and 2. At "maps", without ReLU, it is the class
  activation map divided by the number of places of the map.

  Args:
    images: [batch, height, width, channels].
    classes: int32 [batch], the class to look for in each image.
    layer: path of a layer whose output is [batch, height', width', channels].
    relu: only what speaks for the class, as in the paper.

  Returns:
    float32 [batch, height', width'].

  Raises:
    ConfigError: the net has no such layer, or it gives no maps.
  """
  found = jax.eval_shape(lambda *given: net.look(*given)[1], params, stats, images)
  if layer not in found or found[layer].output.ndim != 4:
    those = ", ".join(path for path, one in found.items() if one.output.ndim == 4)
    raise ConfigError(f"{net.name} gives no maps at {layer!r}\nIts layers with maps: {those}")
  shape = found[layer].output
  cam, *_ = weigh_by_gradient(net, params, stats, images, layer, shape, lambda logits: classes)
  return jax.nn.relu(cam) if relu else cam


def weigh_by_gradient(
  net: Net,
  params: Any,
  stats: Any,
  images: jax.Array,
  layer: str,
  shape: jax.ShapeDtypeStruct,
  choose: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array, dict[str, Any]]:
  """(Grad-CAM before its ReLU, classes, layers as `net.look` tells them), in one pass.

  Args:
    shape: of the layer's output.
    choose: logits [batch, classes] -> the class to look for in each image, int32 [batch].
  """

  def chosen(nudge):
    output, layers = net.look(params, stats, images, nudges={layer: nudge})
    classes = choose(output.logits)
    logits = jnp.take_along_axis(output.logits, classes[:, None], 1)
    return logits.sum(), (classes, layers)

  nudge = jnp.zeros(shape.shape, shape.dtype)
  gradient, (classes, layers) = jax.grad(chosen, has_aux=True)(nudge)
  weights = gradient.astype(jnp.float32).mean((1, 2))
  maps = layers[layer].output.astype(jnp.float32)
  return jnp.einsum("bhwk,bk->bhw", maps, weights, precision="highest"), classes, layers
