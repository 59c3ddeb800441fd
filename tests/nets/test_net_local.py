"""Local layers, whose weights are not shared, against convolutions, whose are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import nets
from jaxnets.cost.net import count_net, shapes_of

FIELDS = {"classes": 10, "stem": "small", "units": (1, 2), "widths": (4, 6), "hidden": 12,
          "dropout": 0.0}  # fmt: skip
IMAGES = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))


def everywhere(shared, own):
  """The weights of a convolution at every place of a local layer; other parameters as they are."""
  if own.shape == shared.shape:
    return shared
  flat = shared.reshape(-1, shared.shape[-1]) if shared.ndim == 4 else shared
  return jnp.broadcast_to(flat, own.shape)


@pytest.mark.parametrize(("kernel", "norm"), [(3, "none"), (5, "batch")])
def test_a_local_net_with_the_same_weights_everywhere_is_the_convolutional_one(kernel, norm):
  fields = FIELDS | {"kernel": kernel, "norm": norm}
  shared = nets.build("vgg11", **fields)
  local = nets.build("vgg11", shared=False, **fields)
  params, stats = shared.init(jax.random.key(0), IMAGES.shape)
  own, own_stats = local.init(jax.random.key(0), IMAGES.shape)
  assert jax.tree.structure(params) == jax.tree.structure(own)
  tiled = jax.tree.map(everywhere, params, own)
  found = local.apply(tiled, own_stats, IMAGES).logits
  np.testing.assert_allclose(found, shared.apply(params, stats, IMAGES).logits, atol=1e-5)


def test_a_local_net_costs_the_same_multiply_adds_and_has_weights_for_each_place():
  counts = {}
  for is_shared in (True, False):
    net = nets.build("vgg11", shared=is_shared, **FIELDS)
    shapes = shapes_of(net, 8, 3)
    params = sum(x.size for x in jax.tree.leaves(shapes[0]))
    counts[is_shared] = (count_net(net, shapes, 8, 3).macs, params)
  assert counts[True][0] == counts[False][0]
  convolutions = [(8, 3, 4), (4, 4, 6), (4, 6, 6)]  # side of the map, in, out
  more = sum((side**2 - 1) * (9 * i + 1) * o for side, i, o in convolutions)
  assert counts[False][1] - counts[True][1] == more


# Variance of a 3x3 convolution's weights from 32 channels to 32.
@pytest.mark.parametrize(
  ("weight_init", "variance"), [("he", 2 / (9 * 32)), ("glorot", 1 / (9 * 32)), ("paper", 0.1**2)]
)
def test_the_weights_of_each_place_are_drawn_as_those_of_the_convolution(weight_init, variance):
  fields = FIELDS | {"widths": (32, 32), "weight_init": weight_init}
  net = nets.build("vgg11", shared=False, **fields)
  params, _ = net.init(jax.random.key(0), IMAGES.shape)
  places = params["stage2"]["conv2"]["kernel"].reshape(-1, 9 * 32 * 32)
  assert float(places.var()) == pytest.approx(variance, rel=0.02)
  assert np.abs(np.corrcoef(places) - np.eye(len(places))).max() < 0.05  # places do not repeat
