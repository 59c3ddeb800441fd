"""The parameters of the layers."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from flax.errors import ScopeParamShapeError
from jax.extend.core import jaxpr_as_fun
from jax.interpreters.partial_eval import dce_jaxpr

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


def drawing(init: Callable[[jax.Array], Any], key: jax.ShapeDtypeStruct) -> Callable[..., Any]:
  """key -> what `init` draws from it, without the forward pass by which it learns the shapes.

  Outside jit it is evaluated operation by operation: every way and shape of drawing is a small
  program of its own, compiled once for all layers and nets. In one program XLA compiles the draws
  of each layer anew, which takes longer than the train step of a deep net.
  """
  traced, shapes = jax.make_jaxpr(init, return_shape=True)(key)
  needed, _ = dce_jaxpr(traced.jaxpr, [True] * len(traced.out_avals), instantiate=True)
  draws = jaxpr_as_fun(traced.replace(jaxpr=needed))
  return lambda key: jax.tree.unflatten(jax.tree.structure(shapes), draws(key))
