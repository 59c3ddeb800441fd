"""The parameters of the layers."""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn

Initialiser = Callable[..., jax.Array]  # (key, shape) -> array, float32


def learned(module: nn.Module, name: str, init: Initialiser, shape: tuple[int, ...]) -> jax.Array:
  """The parameter `name` of a module, float32 of that shape, which starts as `init` says.

  Flax traces `init` whenever a module is called, to compare shapes: a third of the time that it
  takes to trace a net. Here each is traced once for each shape.
  """
  return module.param(name, _traced_once(init), shape)


@functools.cache
def _traced_once(init: Initialiser) -> Initialiser:
  return jax.jit(init, static_argnums=1)
