"""Signals and gradients at step 0 against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.instruments.propagation import log_slope, output_norm, propagation
from tests.instruments.nets import chosen, drawn


def flow_of(net, params, stats, images):
  def flow(params, stats, images):
    return propagation(net, params, stats, images, chosen)

  return jax.jit(flow)(params, stats, images)


def hidden(flow, field):
  count = sum(path.startswith("hidden") for path in flow)
  return np.array([getattr(flow[f"hidden{i}"], field) for i in range(1, count + 1)])


def test_signals_and_gradients_of_a_linear_net_are_products_of_its_matrices():
  net, params, stats, images = drawn("mlp", side=4, depth=4, hidden=16, activation="identity")
  flow = flow_of(net, params, stats, images)
  kernels = [np.asarray(params[n]["kernel"], float) for n in ("hidden1", "hidden2", "hidden3")]
  head = np.asarray(params["head"]["kernel"], float)
  x = np.asarray(images, float).reshape(4, -1)
  values = [x]
  for kernel in kernels:
    values.append(values[-1] @ kernel)
  logits = values[-1] @ head
  softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  back = (softmax - np.eye(3)[0]) / 4 @ head.T
  for i in (3, 2, 1):
    one, before = flow[f"hidden{i}"], values[i - 1]
    assert one.mean_square == pytest.approx((values[i] ** 2).mean(), rel=1e-4)
    assert one.output_gradient == pytest.approx(np.linalg.norm(back), rel=1e-4)
    by_weights = np.append((before.T @ back).ravel(), back.sum(0))
    assert one.weight_gradient == pytest.approx(np.linalg.norm(by_weights), rel=1e-4)
    back = back @ kernels[i - 1].T


def test_relu_with_he_weights_keeps_the_mean_square_and_a_linear_net_doubles_it():
  # Of weights of variance 2 / fan-in a ReLU keeps half of the square, its absence all of it.
  squares = {}
  for activation in ("relu", "identity"):
    net, *given = drawn("mlp", side=8, depth=9, hidden=512, activation=activation)
    squares[activation] = hidden(flow_of(net, *given), "mean_square")
  assert np.exp(log_slope(squares["relu"])) == pytest.approx(1, abs=0.08)
  assert np.exp(log_slope(squares["identity"])) == pytest.approx(2, abs=0.08)


def test_sigmoid_passes_at_most_a_quarter_of_the_gradient_that_its_matrix_passes():
  net, params, stats, images = drawn("mlp", side=4, depth=7, hidden=32, activation="sigmoid")
  norms = hidden(flow_of(net, params, stats, images), "output_gradient")
  for i in range(1, 6):
    largest = np.linalg.norm(np.asarray(params[f"hidden{i + 1}"]["kernel"]), 2)
    assert 0 < norms[i - 1] / norms[i] <= largest / 4
  assert log_slope(norms) > 0.5  # toward the input it vanishes
  relu, *given = drawn("mlp", side=4, depth=7, hidden=32, activation="relu")
  assert abs(log_slope(hidden(flow_of(relu, *given), "output_gradient"))) < 0.25


def test_a_deep_convolutional_net_without_norms_is_seen_layer_by_layer():
  net, *given = drawn("cifar_plain20", depth=14, width=0.25, norm="none", activation="sigmoid")
  flow = flow_of(net, *given)
  assert {"stem", "stage1/unit1/conv1", "stage3/unit2/conv2", "head"} <= set(flow)
  assert flow["stem"].weight_gradient < 1e-2 * flow["stage3/unit2/conv2"].weight_gradient
  assert flow["maps"].weight_gradient == 0
  assert flow["maps"].output_gradient > 0


def test_the_slope_is_that_of_a_geometric_series():
  assert log_slope([4.0**-n for n in range(6)]) == pytest.approx(np.log(0.25), rel=1e-5)
  assert log_slope({"a": jnp.ones(()), "b": jnp.ones(())}) == 0


def test_a_gradient_that_has_all_but_vanished_has_a_norm_still():
  gradient = jnp.array([3e-25, 0.0, -4e-25])
  np.testing.assert_allclose(output_norm(gradient), 5e-25, rtol=1e-6)
  assert output_norm(jnp.zeros(3)) == 0
