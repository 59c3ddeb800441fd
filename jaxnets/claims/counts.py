"""What the sentences about nets count, from traced nets; nothing here is a number of a paper.

JAX is imported where something is counted, so that the sentences can be read without it.
"""

import functools
import math
from typing import TYPE_CHECKING

from jaxnets import nets

if TYPE_CHECKING:
  from jaxnets.cost import Cost
  from jaxnets.cost.layers import Layer


@functools.cache
def counted(name: str, image_size: int = 0, train: bool = False, **fields) -> "Cost":
  """Cost of a net on one image, of its own size where `image_size` is 0; traced once.

  Args:
    name: of the net.
    image_size: px.
    train: whether the pass is one in training.
    **fields: axes that are not the net's own; values that can be hashed.
  """
  from jaxnets.cost.net import count_net

  side = image_size or nets.variant(name).image_size
  return count_net(nets.build(name, **fields), _shapes(name, side, **fields), side, train=train)


@functools.cache
def _shapes(name: str, side: int, **fields):
  """Of parameters and statistics."""
  from jaxnets.cost.net import shapes_of

  return shapes_of(nets.build(name, **fields), side)


def params(name: str, **fields) -> int:
  """Learned values, those of auxiliary heads too."""
  return nets.count_parameters(_shapes(name, nets.variant(name).image_size, **fields)[0])


def macs(name: str, **fields) -> int:
  """Multiply-adds at inference."""
  return counted(name, **fields).macs


def layers(name: str, op: str = "", inside: str = "", **fields) -> list["Layer"]:
  """Layers of a kind, such as "conv" or "conv 3x3", in a module, such as "inception3a"."""
  return [
    layer
    for layer in counted(name, **fields).layers
    if layer.op.startswith(op) and f"{layer.name}/".startswith(f"{inside}/" if inside else "")
  ]


def params_in(name: str, op: str, **fields) -> int:
  """Learned values in the layers of a kind, biases too."""
  return sum(layer.params for layer in layers(name, op, **fields))


def macs_in(name: str, op: str = "", inside: str = "", **fields) -> int:
  """Multiply-adds of the layers of a kind, or in a module."""
  return sum(layer.macs for layer in layers(name, op, inside, **fields))


def macs_at(name: str, layer: str, **fields) -> int:
  """Multiply-adds of a layer per location of its map."""
  (found,) = layers(name, inside=layer, **fields)
  return found.macs // math.prod(found.shape[1:3])


def side_of(name: str, layer: str, **fields) -> int:
  """Side of the map that a layer gives."""
  return layers(name, inside=layer, **fields)[0].shape[1]


def channels_of(name: str, module: str, branches: tuple[str, ...]) -> int:
  """Channels that the ends of the branches of a module give together."""
  ends = [layers(name, inside=f"{module}/{branch}")[0] for branch in branches]
  return sum(end.shape[-1] for end in ends)


def depth(name: str, **fields) -> int:
  """Convolutions and matrix products on the longest way from the image to the logits."""
  from jaxnets.cost.operation import PRODUCTS

  program = counted(name, **fields).program
  lengths: dict[int, int] = {}
  for operation in program.operations:
    before = max((lengths.get(number, 0) for number in operation.reads), default=0)
    lengths |= dict.fromkeys(operation.writes, before + (operation.name in PRODUCTS))
  return max(lengths[number] for number in program.outputs)


def operations(name: str, kind: str) -> int:
  """How many operations of a pass at inference have a primitive's name."""
  return sum(operation.name == kind for operation in counted(name).program.operations)


def dropouts(name: str) -> int:
  """Layers of dropout in a pass in training."""
  program = counted(name, train=True).program
  scopes = {part for operation in program.operations for part in operation.scope}
  return sum(scope.startswith("dropout") for scope in scopes)


@functools.cache
def stack(*kernels: int) -> tuple[int, int]:
  """Convolutions of such sides in a row: pixels that an output sees, weights / channels^2."""
  import jax
  import jax.numpy as jnp
  from jax import lax

  from jaxnets import cost
  from jaxnets.cost.field import find_fields

  channels, side = 4, sum(kernels)
  image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
  weights = {
    f"conv{i}": jax.ShapeDtypeStruct((kernel, kernel, channels, channels), jnp.float32)
    for i, kernel in enumerate(kernels, start=1)
  }

  def forward(weights, x):
    for kernel in weights.values():
      x = lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
      )
    return x

  found = cost.of(forward, weights, image)
  fields = find_fields(found.program, found.program.inputs[-1])
  return fields[found.program.outputs[0]].size[0], found.params // channels**2
