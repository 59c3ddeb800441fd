"""Everything that changes while training, in one record."""

import hashlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.nets import Net


class State(NamedTuple):
  """What a checkpoint holds; the data order and all randomness follow from the seed and `step`."""

  step: jax.Array  # int32, steps taken
  params: Any
  stats: Any  # running averages of batch normalisation
  opt: Any
  ema: Any  # average of the parameters; () when off
  plateau: Any  # factor on the learning rate and its bookkeeping; () when off


def init_state(
  net: Net,
  optimiser: optax.GradientTransformation,
  key: jax.Array,
  shape: tuple[int, int, int, int],
  *,
  ema: bool = False,
  plateau: optax.GradientTransformationExtraArgs | None = None,
) -> State:
  """The state at step 0, for images of `shape` [batch, height, width, channels]."""
  params, stats = net.init(key, shape)
  return State(
    step=jnp.zeros((), jnp.int32),
    params=params,
    stats=stats,
    opt=optimiser.init(params),
    ema=jax.tree.map(jnp.copy, params) if ema else (),
    plateau=plateau.init(params) if plateau else (),
  )


def evaluated(state: State) -> Any:
  """The parameters that are evaluated: the average where there is one."""
  return state.params if state.ema == () else state.ema


def digest(tree: Any) -> str:
  """SHA-256 over the names, types, shapes and bytes of a tree of arrays, in the order of names."""
  sums = hashlib.sha256()
  leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
  for path, leaf in sorted(leaves, key=lambda item: jax.tree_util.keystr(item[0])):
    array = np.asarray(leaf)
    sums.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
    sums.update(np.ascontiguousarray(array).tobytes())
  return sums.hexdigest()
