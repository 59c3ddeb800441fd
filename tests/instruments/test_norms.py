import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.instruments.norms import layer_norms
from tests.instruments.nets import chosen, drawn


def test_a_layers_norm_is_over_all_its_arrays_and_no_others():
  tree = {"a": {"kernel": jnp.full((2, 2), 3.0), "bias": jnp.full(2, 4.0)},
          "b": {"c": {"scale": jnp.zeros(3)}, "kernel": jnp.ones(1)}}  # fmt: skip
  found = layer_norms(tree)
  assert {k: float(v) for k, v in found.items()} == {
    "a": pytest.approx((4 * 9 + 2 * 16) ** 0.5), "b/c": 0, "b": 1,
  }  # fmt: skip


def test_gradient_norms_are_those_of_finite_differences():
  net, params, stats, images = drawn("mlp", side=2, depth=3, hidden=4, activation="tanh")

  def loss(params):
    return chosen(net.apply(params, stats, images).logits)

  found = jax.jit(lambda params: layer_norms(jax.grad(loss)(params)))(params)
  evaluate = jax.jit(loss)
  for layer in ("hidden1", "head"):
    squares = 0.0
    for name, array in params[layer].items():
      for place in np.ndindex(*array.shape):
        ends = []
        for step in (1e-2, -1e-2):
          moved = params | {layer: params[layer] | {name: array.at[place].add(step)}}
          ends.append(float(evaluate(moved)))
        squares += ((ends[0] - ends[1]) / 2e-2) ** 2
    assert found[layer] == pytest.approx(squares**0.5, rel=5e-3)
