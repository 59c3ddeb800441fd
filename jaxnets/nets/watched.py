"""Layers that can be looked at: what each gives before its activation and after, and a push there.

Nets say with `seen` where a layer is; nobody asks, nothing happens: the traced program is the same.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from flax import linen as nn

SEEN = "intermediates"  # the one collection that Flax leaves alone when parameters are drawn
NUDGES = "nudges"
RESPONSE, OUTPUT = "response", "output"


class Layer(NamedTuple):
  """What a layer gives, [batch, height, width, channels] or [batch, channels]."""

  response: jax.Array  # after the norm, before the sum and the activation
  output: jax.Array  # after the sum and the activation


def is_watched(module: nn.Module) -> bool:
  """Whether somebody looks, so that what is one operation otherwise must be done in steps."""
  return module.scope is not None and module.scope.is_mutable_collection(SEEN)


def seen(module: nn.Module, what: str, x: jax.Array) -> jax.Array:
  """Shows x as RESPONSE or OUTPUT of the layer `module`; x with the nudge that was given there."""
  scope = module.scope
  if scope is not None and what == OUTPUT and scope.has_variable(NUDGES, OUTPUT):
    x = x + scope.get_variable(NUDGES, OUTPUT)
  module.sow(SEEN, what, x)
  return x


class Place(nn.Module):
  """A place between layers that can be looked at as they can."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    return seen(self, OUTPUT, x)


def layers_of(collection: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[str, Layer]:
  """{"stage1/unit1/conv1": what was seen there} of what Flax collected."""
  found = OrderedDict()  # the dict whose order a jitted function keeps
  if OUTPUT in collection:
    (output,) = collection[OUTPUT]
    (response,) = collection.get(RESPONSE, (output,))
    found["/".join(path)] = Layer(response, output)
    return found
  for name, inner in collection.items():
    found |= layers_of(inner, (*path, name))
  return found


def nudges_at(nudges: Mapping[str, jax.Array]) -> dict[str, Any]:
  """{"stage1/unit1/conv1": x} as Flax's collection."""
  tree: dict[str, Any] = {}
  for path, x in nudges.items():
    at = tree
    for name in path.split("/"):
      at = at.setdefault(name, {})
    at[OUTPUT] = x
  return tree
