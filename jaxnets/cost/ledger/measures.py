"""Our values for the cells of a ledger: functions from the name of a net to a number or text.

All come from the net as it is built: its axes, the shapes of its parameters, or its traced forward
pass. What is in training only, as auxiliary heads are, is traced in training.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnets import nets
from jaxnets.cost.count import Cost
from jaxnets.cost.layers import Layer
from jaxnets.cost.net import count_net, shapes_of

Value = int | float | str
Measure = Callable[[str], Value]

WEIGHTED = ("conv", "dense")


class Counted(NamedTuple):
  """A net, counted."""

  weights: dict[str, tuple[int, ...]]  # layer -> shape of its weights, without biases
  cost: Cost


@functools.cache
def counted(name: str) -> Counted:
  """The net called `name` on one image of its own size; traced once in a process."""
  net = nets.build(name)
  shapes = shapes_of(net, side(name))
  cost = count_net(net, shapes, side(name), train=net.fields.get("aux", False))
  weights = {
    path.removesuffix("/kernel"): leaf.shape
    for path, leaf in _leaves(shapes[0]).items()
    if path.endswith("/kernel")
  }
  return Counted(weights, cost)


def layers(name: str, *groups: str) -> list[Layer]:
  """The layers of a net that are called as one of `groups` or lie inside it; all without groups.

  Raises:
    ValueError: there is no such layer.
  """
  found = [layer for layer in counted(name).cost.layers if _within(layer.name, groups)]
  if not found:
    raise ValueError(f"{name} has no layer {' or '.join(groups)}")
  return found


def convolutions(name: str, *groups: str) -> list[Layer]:
  """Those of `layers` that are convolutions."""
  return [layer for layer in layers(name, *groups) if layer.op.startswith("conv")]


def weighted(name: str, *groups: str) -> list[Layer]:
  """Those of `layers` that convolve or multiply by a matrix."""
  return [layer for layer in layers(name, *groups) if layer.op.startswith(WEIGHTED)]


def weights_of(name: str, *groups: str) -> int:
  """Weights of layers, without biases and norms."""
  return sum(math.prod(s) for p, s in counted(name).weights.items() if _within(p, groups))


def macs_of(name: str, *groups: str) -> int:
  """Multiply-adds of layers."""
  return sum(layer.macs for layer in layers(name, *groups))


def total(name: str) -> int:
  """Learned values of the whole net."""
  return counted(name).cost.params


def macs(name: str) -> int:
  """Multiply-adds of the whole net: what the papers call FLOPs."""
  return counted(name).cost.macs


def convolution_macs(name: str) -> int:
  """Multiply-adds of the convolutions alone."""
  return sum(layer.macs for layer in convolutions(name))


def depth(name: str) -> int:
  """Layers with weights, those of projecting shortcuts not counted, as the papers count."""
  return sum(not layer.name.endswith("/projection") for layer in weighted(name))


def side(name: str) -> int:
  """Of the image, in pixels."""
  return nets.variant(name).image_size


def image(name: str) -> str:
  """ "224x224x3"."""
  return f"{side(name)}x{side(name)}x3"


def shape(layer: str) -> Measure:
  """What a layer gives: "55x55x96"; "1x1x1000" of a linear one."""
  return lambda name: _size(layers(name, layer)[-1].shape)


def channels(layer: str) -> Callable[[str], int]:
  """Channels, or units, that a layer gives."""
  return lambda name: layers(name, layer)[0].shape[-1]


def neurons(layer: str) -> Measure:
  """Values that a layer gives."""
  return lambda name: math.prod(layers(name, layer)[0].shape)


def kernel(layer: str) -> Callable[[str], str]:
  """Height, width and depth of a convolution's kernels: "11x11x3"."""
  return lambda name: "x".join(map(str, counted(name).weights[layer][:3]))


def window(layer: str) -> Callable[[str], str]:
  """Window and stride of a convolution or pooling: "7x7/2", "3x3/1"."""

  def measure(name: str) -> str:
    size = next(w for w in layers(name, layer)[0].op.split() if w[0].isdigit())
    return size if "/" in size else f"{size}/1"

  return measure


def axis(field: str) -> Measure:
  """An axis of the net: a number or name as it is, "yes" or "no", "96-256-384"."""

  def measure(name: str) -> str:
    value = nets.axes(name)[field]
    if isinstance(value, bool):
      return "yes" if value else "no"
    if isinstance(value, tuple):
      return "-".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

  return measure


def percent(field: str) -> Measure:
  """An axis that is a rate: "40%"."""
  return lambda name: f"{100 * nets.axes(name)[field]:g}%"


def starting_bias(layer: str) -> Measure:
  """The value that all biases of a layer start from."""

  def measure(name: str) -> str:
    low, high = _starting_biases(name)[layer]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"

  return measure


def starting_deviation(layer: str) -> Measure:
  """Standard deviation of a layer's weights before training."""
  return lambda name: float(jax.jit(lambda: _narrow(name)[f"{layer}/kernel"].std())())


@functools.cache
def _starting_biases(name: str) -> dict[str, tuple[float, float]]:
  """Layer -> the least and the largest of its biases before training."""

  def ends():
    leaves = _narrow(name).items()
    return {path: (x.min(), x.max()) for path, x in leaves if path.endswith("/bias")}

  found = jax.device_get(jax.jit(ends)())
  return {path.removesuffix("/bias"): (float(a), float(b)) for path, (a, b) in found.items()}


def _narrow(name: str) -> dict[str, Any]:
  """Parameters of a net as it starts, a tenth as wide; those asked for are all that is computed.

  Of the generators of random numbers this one compiles quickest.
  """
  key = jax.random.key(0, impl="rbg")
  params, _ = nets.build(name, width=0.1).init(key, (1, side(name), side(name), 3))
  return _leaves(params)


def _leaves(params: Any) -> dict[str, Any]:
  """ "stage1/conv1/kernel" -> leaf."""
  paths = jax.tree_util.tree_leaves_with_path(params)
  return {"/".join(key.key for key in path): leaf for path, leaf in paths}


def _within(path: str, groups: tuple[str, ...]) -> bool:
  return not groups or any(path == group or path.startswith(f"{group}/") for group in groups)


def _size(shape: tuple[int, ...]) -> str:
  """Without the batch."""
  sides = shape[1:] if len(shape) == 4 else (1, 1, shape[-1])
  return "x".join(map(str, sides))
