"""The parameters of the layers."""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn
from flax.errors import ScopeParamShapeError

Initialiser = Callable[..., jax.Array]  # (key, shape) -> array, float32


def learned(module: nn.Module, name: str, init: Initialiser, shape: tuple[int, ...]) -> jax.Array:
  """The parameter `name` of a module, float32 of that shape, which starts as `init` says.

  `module.param` would trace `init` at every call to compare shapes: a third of the time that it
  takes to trace a net. Here each is traced when it draws, once for each shape.

  Raises:
    ScopeParamShapeError: the parameter that is given has another shape.
  """
  first = _traced_once(init)
  value = module.variable("params", name, lambda: first(module.make_rng("params"), shape)).value
  if value.shape != shape:
    raise ScopeParamShapeError(name, "/".join(module.path), value.shape, shape)
  return value


@functools.cache
def _traced_once(init: Initialiser) -> Initialiser:
  return jax.jit(init, static_argnums=1)
