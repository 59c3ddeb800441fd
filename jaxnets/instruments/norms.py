"""The sizes of gradients, updates and weights, one number per layer."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp


def layer_norms(tree: Mapping[str, Any]) -> dict[str, jax.Array]:
  """The Euclidean norm of each layer's arrays, taken together, float32, by the layer's path.

  Args:
    tree: parameters, or a tree like them: gradients, or updates, as the difference of two.

  Returns:
    {"stage1/unit1/conv1": norm over kernel and bias, ...}, in the order of the tree.
  """
  found, inner = {}, {}
  for name, value in tree.items():
    if isinstance(value, Mapping):
      found |= {f"{name}/{path}" if path else name: n for path, n in layer_norms(value).items()}
    else:
      inner[name] = value
  if inner:
    squares = [jnp.square(x.astype(jnp.float32)).sum() for x in inner.values()]
    found[""] = jnp.sqrt(jnp.stack(squares).sum())
  return found
