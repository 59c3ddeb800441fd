"""Deeper nets by identity construction: the same logits, new layers that can learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import nets
from jaxnets.errors import ConfigError
from jaxnets.instruments.identity import deepen
from tests.instruments.nets import drawn

KEY = jax.random.key(7)
SMALL = {"width": 0.25, "units": (1, 1, 1)}
VGG = {"stem": "small", "width": 0.0625, "hidden": 16}
MODULES = {"stem": "small", "width": 0.125, "units": (2, 1, 1), "branches": ("1x1", "3x3", "5x5")}
NAIVE = MODULES | {"reduction": False}
# Auxiliary heads, and modules of as many channels in other branches; named in another order.
HEADS = NAIVE | {
  "units": (1, 1, 1),
  "branches": ("5x5", "1x1", "3x3"),
  "aux": True,
  "aux_pooling": "adaptive",
}
WIDE = MODULES | {"bottleneck": 8.0}  # wider than what they feed: no reduction


def trained(name, side=8, **fields):
  """A net whose statistics are not those of the start, as after training."""
  net, params, stats, images = drawn(name, side, **fields)
  draw = np.random.default_rng(0)
  wander = jax.tree.map(lambda x: x + 0.1 * np.abs(draw.normal(size=x.shape)), (params, stats))
  params, stats = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), wander)
  return net, params, stats, images


def logits(net, params, stats, images, train=False, whole=True):
  def apply(*given):
    return net.apply(*given, train=train, key=KEY).logits

  return np.asarray((jax.jit(apply) if whole else apply)(params, stats, images))


def deepened(name, fields, deeper_name, more, side=8):
  net, params, stats, images = trained(name, side, **fields)
  deeper = nets.build(deeper_name, classes=3, **fields | more)
  new = deepen(net, deeper, params, stats, images, KEY)
  fresh = jax.eval_shape(lambda key: deeper.init(key, (1, *images.shape[1:])), KEY)
  assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, fresh)
  return (net, params, stats), (deeper, *new), images


def assert_within_a_millionth(after, before):
  """Of the largest logit."""
  assert np.abs(after - before).max() < 1e-6 * np.abs(before).max()


@pytest.mark.parametrize(
  "fields", [{}, {"norm": "none"}, {"norm": "group", "shortcut": "B"}, {"preactivation": True}]
)
def test_a_deeper_residual_net_has_the_same_logits_to_the_bit(fields):
  more = {"units": (2, 3, 1)}
  net, deeper, images = deepened("cifar_resnet20", SMALL | fields, "cifar_resnet20", more)
  for train in (False, True):
    # Operation by operation: compiled as a whole, what two nets have in common is fused otherwise.
    before, after = (logits(*one, images, train, whole=False) for one in (net, deeper))
    np.testing.assert_array_equal(after, before)
    assert_within_a_millionth(logits(*deeper, images, train), before)


@pytest.mark.parametrize(
  ("name", "fields", "other", "more", "side"),
  [
    ("cifar_plain20", SMALL, "cifar_plain20", {"units": (2, 3, 2)}, 8),
    ("cifar_plain20", SMALL | {"norm": "none"}, "cifar_plain20", {"units": (2, 3, 2)}, 8),
    ("vgg11_bn", VGG, "vgg19_bn", {}, 16),
    ("vgg11_lrn", VGG, "vgg11_lrn", {"units": (2, 1, 2, 3, 2)}, 8),
    ("alexnet", {"stem": "small", "width": 0.0625, "hidden": 64}, "alexnet", {"depth": 10}, 16),
    ("googlenet", NAIVE, "googlenet", {"units": (3, 1, 1)}, 8),
    ("googlenet", HEADS, "googlenet", {"units": (1, 3, 1)}, 8),
    ("googlenet_bn", WIDE, "googlenet_bn", {"units": (4, 1, 1)}, 8),
    ("mlp", {"depth": 3, "hidden": 8, "norm": "batch"}, "mlp", {"depth": 6}, 4),
    ("cifar_resnet20_c", SMALL, "cifar_resnet20_c", {"units": (2, 3, 1)}, 8),
    ("cifar_resnet20_c", SMALL | {"norm": "none"}, "cifar_resnet20_c", {"units": (2, 1, 2)}, 8),
  ],
)
def test_a_deeper_net_has_the_same_logits_within_a_millionth(name, fields, other, more, side):
  net, deeper, images = deepened(name, fields, other, more, side)
  before = logits(*net, images)
  assert np.ptp(before) > 1e-3  # or anything would do
  assert_within_a_millionth(logits(*deeper, images), before)


@pytest.mark.parametrize(
  ("name", "norm"), [("cifar_plain20", "norm1"), ("cifar_resnet20_c", "projection_norm")]
)
def test_in_training_a_new_layer_is_the_identity_on_a_batch_with_the_moments_it_was_made_for(
  name, norm
):
  net, deeper, images = deepened(name, SMALL, name, {"units": (2, 1, 1)})
  x = deeper[0].look(*deeper[1:], images)[1]["stage1/unit1/conv2"].output
  mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
  own = deeper[1]["stage1"]["unit2"][norm]
  np.testing.assert_allclose(own["bias"], mean, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(own["scale"], np.sqrt(std**2 + 1e-5), rtol=1e-4)
  assert net[0].fields["units"] == (1, 1, 1)


@pytest.mark.parametrize(
  ("name", "fields", "more", "learns"),
  [
    ("cifar_resnet20", SMALL, {"units": (1, 1, 2)}, ("stage3", "unit2", "norm2", "scale")),
    ("cifar_plain20", SMALL, {"units": (1, 1, 2)}, ("stage3", "unit2", "conv1", "kernel")),
    ("googlenet", NAIVE, {"units": (3, 1, 1)}, ("inception3c", "3x3", "kernel")),
  ],
)
def test_new_layers_learn(name, fields, more, learns):
  _, (deeper, params, stats), images = deepened(name, fields, name, more)

  def loss(params):
    # Of one image: after batch norm, sums over a whole batch are the same whatever the kernels.
    return deeper.apply(params, stats, images, train=True, key=KEY).logits[0, 0]

  grads = jax.jit(jax.grad(loss))(params)
  for part in learns:
    grads = grads[part]
  assert jnp.abs(grads).max() > 1e-6


@pytest.mark.parametrize(
  ("shallow", "deep"), [("cifar_resnet20", "cifar_resnet56"), ("cifar_plain20", "cifar_plain56")]
)
def test_published_depths_continue_each_other(shallow, deep):
  net, deeper = (nets.build(name, classes=3, width=0.0625) for name in (shallow, deep))
  images = jnp.zeros((1, 8, 8, 3))

  def start(net):
    return jax.eval_shape(lambda key: net.init(key, images.shape), KEY)

  def grow(params, stats):
    return deepen(net, deeper, params, stats, images, KEY)

  found = jax.eval_shape(grow, *start(net))
  assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, start(deeper))


@pytest.mark.parametrize(
  ("name", "fields", "other", "more", "message"),
  [
    ("mlp", {"depth": 3, "hidden": 4}, "mlp", {"depth": 2}, "lacks layers of mlp .hidden2"),
    ("mlp", {"depth": 3, "hidden": 4}, "mlp", {"depth": 4, "hidden": 5}, "net.hidden must be"),
    ("mlp", {"depth": 3, "hidden": 4, "activation": "tanh"}, "mlp", {"depth": 4}, "on .=tanh"),
    ("mlp", {"depth": 3, "hidden": 4, "norm": "group"}, "mlp", {"depth": 4}, "norm .=group"),
    ("googlenet", MODULES, "googlenet", {"units": (3, 1, 1)}, "inception3c/3x3_reduce .* narrower"),
    ("googlenet", NAIVE | {"units": (1, 1, 1)}, "googlenet", {"units": (2, 1, 1)},
     "inception3b of googlenet makes 52 channels of 28"),
    ("googlenet", HEADS | {"units": (1, 5, 1)}, "googlenet", {"units": (1, 6, 1)},
     "aux2_head of googlenet follows a module of more channels"),
    ("googlenet", {"stem": "small", "width": 0.125, "units": (2, 1, 1)}, "googlenet",
     {"units": (3, 1, 1)}, "net.branches has pool"),
    ("mlp", {"depth": 3, "hidden": 4}, "cifar_plain20", {}, "Use two nets of one of the families"),
    ("cifar_resnet20_c", SMALL | {"norm": "group"}, "cifar_resnet20_c", {"units": (2, 1, 1)},
     "shortcut .=C"),
    ("cifar_plain20", SMALL | {"preactivation": True}, "cifar_plain20", {"units": (2, 1, 1)},
     "net.preactivation rectifies"),
    ("cifar_plain20", SMALL | {"unit": "bottleneck", "bottleneck": 2.0}, "cifar_plain20",
     {"units": (2, 1, 1)}, "stage1/unit2/conv1 of cifar_plain20 has a kernel of 4 to 2 channels"),
  ],
)  # fmt: skip
def test_what_cannot_be_the_identity_is_refused_by_name(name, fields, other, more, message):
  net, params, stats, images = drawn(name, **fields)
  kept = fields if other == name else {}
  deeper = nets.build(other, classes=3, **kept | more)
  with pytest.raises(ConfigError, match=message) as error:
    deepen(net, deeper, params, stats, images, KEY)
  assert str(error.value).count("\n") <= 1


def test_inception_v3_which_pools_in_every_module_is_refused():
  net = nets.build("inception_v3", classes=3)
  with pytest.raises(ConfigError, match="Use two nets of one of the families resnet, vgg"):
    deepen(net, net, {}, {}, jnp.zeros((1, 299, 299, 3)), KEY)
