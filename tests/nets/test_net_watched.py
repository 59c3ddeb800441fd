"""Looking at the layers of a net: what is seen is what the net computes, at the right place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import nets

SIDE = 8


def drawn(name, **fields):
  """A small net with its parameters and statistics, and images."""
  net = nets.build(name, classes=3, **fields)
  params, stats = net.init(jax.random.key(0), (1, SIDE, SIDE, 3))
  return net, params, stats, jax.random.normal(jax.random.key(1), (4, SIDE, SIDE, 3))


RESNET = {"depth": 8, "width": 0.25}
VGG = {"stem": "small", "width": 0.0625, "hidden": 16}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(
  ("name", "fields"),
  [
    ("cifar_resnet20", RESNET),
    ("cifar_resnet20", RESNET | {"norm": "none", "activation": "tanh"}),
    ("cifar_resnet20_v2", RESNET),
    ("vgg11", VGG),
  ],
)
def test_the_logits_are_the_same_when_somebody_looks(name, fields, train):
  net, params, stats, images = drawn(name, **fields)
  key = jax.random.key(2)
  plain = jax.jit(lambda *given: net.apply(*given, train=train, key=key))(params, stats, images)
  watched, layers = jax.jit(lambda *given: net.look(*given, train=train, key=key))(
    params, stats, images
  )
  np.testing.assert_allclose(watched.logits, plain.logits, atol=1e-6)
  for one, other in zip(jax.tree.leaves(watched.stats), jax.tree.leaves(plain.stats), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-6)
  np.testing.assert_array_equal(layers["head"].output, watched.logits)


def test_a_layer_of_a_residual_unit_is_seen_before_and_after_its_sum():
  net, params, stats, images = drawn("cifar_resnet20", **RESNET)
  _, layers = net.look(params, stats, images, train=True)
  first, last = layers["stage1/unit1/conv1"], layers["stage1/unit1/conv2"]
  np.testing.assert_array_equal(first.output, jnp.maximum(first.response, 0))
  wanted = jnp.maximum(last.response + layers["stem"].output, 0)
  np.testing.assert_allclose(last.output, wanted, atol=1e-6)
  # After batch norm with its initial scale each channel has mean 0 and deviation 1.
  np.testing.assert_allclose(last.response.mean((0, 1, 2)), 0, atol=1e-5)
  np.testing.assert_allclose(last.response.std((0, 1, 2)), 1, atol=1e-3)


def test_layers_come_in_the_order_of_computing():
  net, params, stats, images = drawn("cifar_resnet20", **RESNET)
  _, layers = jax.eval_shape(net.look, params, stats, images)
  units = [f"stage{s}/unit1/conv{c}" for s in (1, 2, 3) for c in (1, 2)]
  assert list(layers) == ["stem", *units, "maps", "head"]


def test_a_nudge_is_added_to_the_output_of_its_layer_and_no_other():
  net, params, stats, images = drawn("mlp", depth=3, hidden=5, activation="identity")
  nudge = jnp.ones((4, 5))
  before, _ = net.look(params, stats, images)
  after, layers = net.look(params, stats, images, nudges={"hidden1": nudge})
  by = nudge @ params["hidden2"]["kernel"] @ params["head"]["kernel"]
  np.testing.assert_allclose(after.logits - before.logits, by, rtol=1e-4, atol=1e-5)
  assert layers["hidden1"].output.shape == nudge.shape
  with pytest.raises(ValueError, match="no layers \\['hidden9'\\] to nudge"):
    net.look(params, stats, images, nudges={"hidden9": nudge})
