"""How large signals and gradients are from layer to layer; at step 0, of the initial weights."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.instruments.activations import mean_square
from jaxnets.instruments.norms import layer_norms
from jaxnets.nets import Net


class Flow(NamedTuple):
  """The sizes at one layer, float32 scalars."""

  mean_square: jax.Array  # of its outputs, after the activation
  output_gradient: jax.Array  # norm of the loss's gradient by these outputs
  weight_gradient: jax.Array  # norm of the loss's gradient by its own parameters; 0 without any


def propagation(
  net: Net,
  params: Any,
  stats: Any,
  images: jax.Array,
  loss: Callable[[jax.Array], jax.Array],
  *,
  train: bool = False,
  key: jax.Array | None = None,
) -> dict[str, Flow]:
  """{path of a layer: its sizes}, in the order of computing.

  Glorot and Bengio 2010, section 4; He et al. 2015 (1502.01852), section 2.2: with ReLU and weights
  of variance 2 / fan-in the mean square stays, and sigmoid's derivative, 1/4 at most, shrinks the
  gradient from layer to layer.

  Args:
    images: [batch, height, width, channels].
    loss: of the logits [batch, classes], a scalar.
    train: with the batch's moments and with dropout, for which `key` is.
  """

  def total(params, nudges):
    output, layers = net.look(params, stats, images, train=train, key=key, nudges=nudges)
    squares = OrderedDict((path, mean_square(one.output)) for path, one in layers.items())
    return loss(output.logits), squares

  nudges = still(lambda: net.look(params, stats, images, train=train, key=key)[1])
  gradient = jax.grad(total, argnums=(0, 1), has_aux=True)
  (by_weights, by_outputs), squares = gradient(params, nudges)
  weights, none = layer_norms(by_weights), jnp.zeros(())
  outs = {path: output_norm(x) for path, x in by_outputs.items()}
  return OrderedDict(
    (path, Flow(square, outs[path], weights.get(path, none))) for path, square in squares.items()
  )


def still(look: Callable[[], Mapping[str, Any]]) -> dict[str, jax.Array]:
  """Nudges of 0 for the outputs of all layers that `look` gives; it is traced, not computed."""
  layers = jax.eval_shape(look)
  return {path: jnp.zeros(one.output.shape, one.output.dtype) for path, one in layers.items()}


def output_norm(gradient: jax.Array) -> jax.Array:
  """The Euclidean norm of a gradient by outputs, float32.

  Of gradients that have all but vanished too, whose squares are below the least float32.
  """
  gradient = gradient.astype(jnp.float32)
  largest = jnp.abs(gradient).max()
  unit = jnp.where(largest > 0, largest, 1.0)
  return unit * jnp.sqrt(jnp.square(gradient / unit).sum())


def log_slope(values: jax.typing.ArrayLike | Sequence[Any] | Mapping[str, Any]) -> jax.Array:
  """The slope of the least-squares line through log(values) at 0, 1, 2, ...; per layer.

  log(1/4) for sizes that quarter from each to the next, 0 where they stay.
  """
  logs = jnp.log(jnp.asarray(list(values.values()) if isinstance(values, Mapping) else values))
  places = jnp.arange(len(logs)) - (len(logs) - 1) / 2
  return (places * logs).sum() / jnp.square(places).sum()
