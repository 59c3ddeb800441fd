"""Names, shapes and initial values of the parameters: what weight files and experiments rely on."""

import hashlib
import json

import jax
import numpy as np
import pytest

from jaxnets import nets
from jaxnets.nets import learned

KEY = jax.random.key(0)


def shapes(name, **fields):
  row = nets.variant(name)
  net = nets.build(name, **fields)
  shape = (1, row.image_size, row.image_size, 3)
  return jax.eval_shape(lambda key: net.init(key, shape), KEY)


@pytest.mark.parametrize(
  ("name", "digest"),
  [
    ("mlp", "8f6177c1961680c4"),
    ("alexnet", "e85b0a4f897c1309"),
    ("vgg16_bn", "6a1ae285fc3c00c2"),
    ("googlenet_bn_aux", "13da62b12a588073"),
    ("inception_v3_aux", "ccd5c380f51357a2"),
    ("resnet50", "97a2c513a4df42fb"),
    ("cifar_resnet20_v2", "3556d70e23d097ff"),
  ],
)
def test_paths_and_shapes_of_parameters_and_statistics_stay_as_they_are(name, digest):
  # A change here breaks every saved checkpoint and every weight import: bump with intent only.
  leaves = jax.tree_util.tree_leaves_with_path(shapes(name))
  listing = sorted((jax.tree_util.keystr(path), leaf.shape) for path, leaf in leaves)
  assert hashlib.sha256(json.dumps(listing).encode()).hexdigest()[:16] == digest


def layers(name, side, **fields):
  """{layer: (kernel, bias)} of a freshly initialised net."""
  params, _ = nets.build(name, **fields).init(KEY, (1, side, side, 3))
  flat = jax.tree_util.tree_leaves_with_path(params)
  found = {}
  for path, leaf in flat:
    found.setdefault("/".join(p.key for p in path[:-1]), {})[path[-1].key] = np.asarray(leaf)
  return found


@pytest.mark.parametrize(("weight_init", "value"), [("paper", 1.0), ("caffe", 0.1)])
def test_alexnet_starts_as_its_paper_says(weight_init, value):
  """Krizhevsky et al. 2012, section 5: N(0, 0.01); bias 1 in conv2, 4, 5 and the hidden layers."""
  found = layers("alexnet", 15, stem="small", width=0.25, hidden=1024, weight_init=weight_init)
  assert set(found) == {*(f"conv{i}" for i in range(1, 6)), "hidden1", "hidden2", "head"}
  for name, layer in found.items():
    few = 4 / np.sqrt(layer["kernel"].size)
    assert layer["kernel"].std() == pytest.approx(0.01, rel=few), name
    assert abs(layer["kernel"].mean()) < 0.01 * few
    ones = name in ("conv2", "conv4", "conv5", "hidden1", "hidden2")
    assert (layer["bias"] == np.float32(value if ones else 0.0)).all(), name


def test_vggs_paper_start_has_variance_a_hundredth_and_no_biases():
  """Simonyan and Zisserman 2014, section 3.1: variance 0.01, so a deviation of 0.1."""
  for name, layer in layers(
    "vgg11", 8, stem="small", width=0.25, hidden=512, weight_init="paper"
  ).items():
    assert layer["kernel"].std() == pytest.approx(0.1, rel=4 / np.sqrt(layer["kernel"].size)), name
    assert not layer["bias"].any()


def test_he_start_keeps_the_signal_through_nineteen_layers():
  """He et al. 2015 (1502.01852), equation 10: variance 2 / fan."""
  for name, layer in layers("vgg19", 8, stem="small", width=0.25, hidden=256).items():
    kernel = layer["kernel"]
    if name == "head":
      std = 0.01
    elif name.startswith("hidden"):
      std = np.sqrt(2 / kernel.shape[0])
    else:
      std = np.sqrt(2 / (9 * kernel.shape[-1]))
    assert kernel.std() == pytest.approx(std, rel=4 / np.sqrt(kernel.size)), name


def test_initial_parameters_are_a_function_of_the_key_alone():
  net = nets.build("cifar_resnet20", units=(1, 1, 1))
  one, _ = net.init(KEY, (1, 32, 32, 3))
  other, _ = net.init(KEY, (7, 8, 8, 3))
  jax.tree.map(np.testing.assert_array_equal, one, other)
  different, _ = net.init(jax.random.key(1), (1, 8, 8, 3))
  assert not np.array_equal(one["stem"]["kernel"], different["stem"]["kernel"])


@pytest.mark.parametrize(
  ("name", "fields"),
  [
    ("mlp", {"hidden": 16}),
    ("alexnet", {"width": 0.05, "stem": "small"}),
    ("vgg11", {"width": 0.05, "stem": "small", "weight_init": "glorot", "shared": False}),
    ("googlenet_bn", {"width": 0.05, "stem": "small", "depth": 10}),
    ("cifar_resnet20", {"width": 0.25, "units": (1, 1, 1), "shortcut": "B", "remat": (2,)}),
  ],
)
def test_the_parameters_are_the_same_to_the_bit_when_init_is_compiled_as_a_whole(name, fields):
  net = nets.build(name, classes=3, **fields)
  shape = (1, 16, 16, 1)
  whole = jax.jit(net.init, static_argnums=1)(KEY, shape)
  jax.tree.map(np.testing.assert_array_equal, net.init(KEY, shape), whole)


@pytest.mark.parametrize("name", ["mlp", "alexnet", "vgg11", "googlenet", "cifar_resnet20"])
def test_to_start_a_net_no_image_goes_through_it(name):
  fields = {"stem": "small"} if "stem" in nets.axes(name) else {}
  fields |= {"remat": (1,)} if "remat" in nets.axes(name) and name != "googlenet" else {}
  net = nets.build(name, width=0.05, **fields)
  traced = str(jax.make_jaxpr(net.init, static_argnums=1)(KEY, (1, 32, 32, 3)))
  assert "random_bits" in traced
  for operation in ("conv", "dot_general", "reduce_window", "ffi_call"):
    assert f" {operation}" not in traced, operation


def test_a_net_is_traced_once_for_all_seeds(monkeypatch):
  traced = []
  own = learned.drawing
  monkeypatch.setattr(learned, "drawing", lambda *given: traced.append(1) or own(*given))
  net = nets.build("mlp", hidden=8)
  one, other = (net.init(jax.random.key(seed), (1, 8, 8, 1)) for seed in (0, 1))
  assert len(traced) == 1
  assert not np.array_equal(*(tree[0]["head"]["kernel"] for tree in (one, other)))
