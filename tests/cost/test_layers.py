"""The table of a net: every layer by its name, and sums that are those of the program."""

import importlib.util

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxnets import cost, nets

KEY = jax.eval_shape(lambda: jax.random.key(0))


def array(*shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def of_net(name, side, **fields):
  net = nets.build(name, **fields)
  shape = (1, side, side, 3)
  params, stats = jax.eval_shape(lambda key: net.init(key, shape), KEY)
  found = cost.of(lambda p, s, x: net.apply(p, s, x).logits, params, stats, array(*shape))
  return found, params


@pytest.mark.parametrize(
  ("name", "fields"),
  [
    ("mlp", {"norm": "batch"}),
    ("alexnet", {"width": 0.1}),
    ("vgg11_bn", {"width": 0.1, "head": "gap"}),
    ("googlenet_bn", {"width": 0.1}),
    ("inception_v3", {"width": 0.1, "units": (1, 1, 1)}),
    ("resnet50", {"width": 0.1, "norm": "group"}),
    ("resnet18_v2", {"width": 0.1}),
    ("resnext50_32x4d", {"width": 0.5, "units": (1, 1, 1, 1)}),
  ],
)
def test_the_layers_add_up_to_the_net_and_own_all_its_parameters(name, fields):
  found, params = of_net(name, 227 if name == "alexnet" else 139, **fields)
  rows = found.layers
  for quantity in ("params", "macs", "elementwise", "activations"):
    assert sum(getattr(row, quantity) for row in rows) == getattr(found, quantity), quantity
  paths, _ = jax.tree_util.tree_flatten_with_path(params)
  owners = {"/".join(key.key for key in path[:-1]) for path, _ in paths}
  assert owners == {row.name for row in rows if row.params}
  assert len({row.name for row in rows}) == len(rows)


def test_alexnets_layers_are_those_of_the_paper():
  found, _ = of_net("alexnet", 227)
  rows = [(row.op, row.shape[1:], row.params, row.macs) for row in found.layers]
  assert rows == [
    ("conv 11x11/4", (55, 55, 96), 34_944, 105_415_200),
    ("response norm 5", (55, 55, 96), 0, 0),
    ("max pool 3x3/2", (27, 27, 96), 0, 0),
    ("conv 5x5 in 2 groups", (27, 27, 256), 307_456, 223_948_800),
    ("response norm 5", (27, 27, 256), 0, 0),
    ("max pool 3x3/2", (13, 13, 256), 0, 0),
    ("conv 3x3", (13, 13, 384), 885_120, 149_520_384),
    ("conv 3x3 in 2 groups", (13, 13, 384), 663_936, 112_140_288),
    ("conv 3x3 in 2 groups", (13, 13, 256), 442_624, 74_760_192),
    ("max pool 3x3/2", (6, 6, 256), 0, 0),
    ("dense", (4096,), 37_752_832, 37_748_736),
    ("dense", (4096,), 16_781_312, 16_777_216),
    ("dense", (1000,), 4_097_000, 4_096_000),
  ]
  # The paper's neurons, its conv1 as 55 x 55 x 96 instead of its 253,440.
  assert found.activations == 290_400 + 186_624 + 2 * 64_896 + 43_264 + 2 * 4_096 + 1_000


def test_norms_have_the_shape_of_what_they_normalise():
  found, _ = of_net("resnet18", 64, width=0.25)
  rows = {row.name: row for row in found.layers}
  assert rows["stem_norm"].shape == rows["stem"].shape
  assert rows["stage2/unit1/projection_norm"].shape == (1, 8, 8, 32)


USERS_NET = """
import jax.numpy as jnp
from jax import lax

def forward(params, images):
  x = lax.conv_general_dilated(
    images, params["first"]["w"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
  )
  x = jnp.maximum(x + params["first"]["b"], 0).mean((1, 2))
  return x @ params["last"]["w"]
"""


def test_a_users_own_function_in_a_file_of_his_is_counted(tmp_path):
  path = tmp_path / "my_net.py"
  path.write_text(USERS_NET)
  spec = importlib.util.spec_from_file_location("my_net", path)
  assert spec is not None
  assert spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)

  params = {"first": {"w": array(5, 5, 3, 8), "b": array(8)}, "last": {"w": array(8, 10)}}
  found = cost.of(module.forward, params, array(4, 32, 32, 3))
  assert found.params == 5 * 5 * 3 * 8 + 8 + 80
  assert found.macs == 4 * 16 * 16 * 8 * 75 + 4 * 80
  assert found.flops == 2 * found.macs
  assert found.activations == 4 * 16 * 16 * 8 + 4 * 10
  assert found.activation_bytes == 4 * found.activations
  assert [(row.name, row.op, row.params) for row in found.layers] == [
    ("first", "conv 5x5/2", 608),
    ("global_average_pool", "global average pool", 0),
    ("last", "dense", 80),
  ]


def test_layers_in_a_scan_count_as_often_as_it_runs():
  def forward(params, x):
    def block(x, layer):
      return jnp.tanh(x @ layer["w"] + layer["b"]), None

    return lax.scan(block, x, params["block"])[0]

  params = {"block": {"w": array(12, 5, 5), "b": array(12, 5)}}
  found = cost.of(forward, params, array(2, 5))
  (row,) = found.layers
  assert (row.name, row.op, row.params, row.macs) == (
    "block", "dense, 12 times", 12 * 30, 12 * 2 * 25,
  )  # fmt: skip


def test_shared_parameters_count_once_and_their_products_every_time():
  def forward(params, x):
    return jnp.tanh(jnp.tanh(x @ params["a"]["w"]) @ params["a"]["w"])

  found = cost.of(forward, {"a": {"w": array(5, 5)}}, array(2, 5))
  assert (found.params, found.macs) == (25, 2 * 2 * 25)
  assert [(row.name, row.params) for row in found.layers] == [("a", 25), ("a2", 0)]


def test_bare_arrays_are_no_parameters_and_any_argument_can_hold_them():
  assert cost.of(jnp.dot, array(2, 5), array(5, 3)).params == 0
  swapped = cost.of(lambda x, p: x @ p["w"], array(2, 5), {"w": array(5, 3)}, argument=1)
  assert swapped.params == 15
  assert (
    cost.of(lambda p, x: x @ p["w"], {"w": array(5, 3)}, array(2, 5), argument=None).params == 0
  )


def test_operations_that_nothing_is_known_of_are_listed():
  def function(x):
    return jax.pure_callback(lambda x: x, array(3), x) + jnp.sin(x)

  found = cost.of(function, array(3))
  assert found.uncounted == {"pure_callback": 1}
  assert found.elementwise == 6


def test_of_flax_variables_only_the_parameters_are():
  variables = {
    "params": {"fc": {"kernel": array(5, 3), "bias": array(3)}, "norm": {"scale": array(3)}},
    "batch_stats": {"norm": {"mean": array(3)}},
  }

  def apply(v, x):
    p = v["params"]
    x = x @ p["fc"]["kernel"] + p["fc"]["bias"]
    return (x - v["batch_stats"]["norm"]["mean"]) * p["norm"]["scale"]

  found = cost.of(apply, variables, array(2, 5))
  assert found.params == 21
  assert [(row.name, row.op, row.params) for row in found.layers] == [
    ("fc", "dense", 18), ("norm", "norm", 3),
  ]  # fmt: skip


def test_parameters_without_layers_around_them_have_their_own_names():
  found = cost.of(lambda p, x: jnp.tanh(x @ p[0] + p[1]) @ p[2],
                  [array(3, 4), array(4), array(4, 5)], array(2, 3))  # fmt: skip
  assert [(row.name, row.op, row.params) for row in found.layers] == [
    ("0", "dense", 12), ("1", "bias", 4), ("2", "dense", 20),
  ]  # fmt: skip


def test_a_loop_that_counts_is_no_layer():
  def forward(params, x):
    return lax.fori_loop(0, 5, lambda i, x: jnp.tanh(x @ params["w"]) * i, x)

  (row,) = cost.of(forward, {"w": array(3, 3)}, array(2, 3)).layers
  assert (row.name, row.op, row.macs) == ("w", "dense, 5 times", 5 * 2 * 9)


def add_up(found):
  for quantity in ("params", "macs", "elementwise", "activations"):
    assert sum(getattr(row, quantity) for row in found.layers) == getattr(found, quantity), quantity
  assert len({row.name for row in found.layers}) == len(found.layers)
  return [(row.name, row.op, row.params) for row in found.layers]


def test_sums_hold_where_layers_are_few():
  def looped(p, x):
    return lax.scan(lambda x, _: (jnp.tanh(x), None), x, None, length=6)[0] @ p["w"]

  assert add_up(cost.of(looped, {"w": array(5, 5)}, array(3, 5))) == [("w", "dense", 25)]
  assert add_up(cost.of(lambda x: x * 2, array(3, 4), argument=None)) == [("rest", "", 0)]
  unused = {"a": {"w": array(5, 5)}, "b": {"w": array(7)}}
  assert add_up(cost.of(lambda p, x: x @ p["a"]["w"], unused, array(3, 5))) == [
    ("a", "dense", 25), ("rest", "", 7),
  ]  # fmt: skip


def test_products_of_parameters_alone_are_layers_too():
  low_rank = {"w": array(5, 5), "a": array(5, 2), "b": array(2, 5)}
  rows = add_up(cost.of(lambda p, x: x @ (p["w"] + p["a"] @ p["b"]), low_rank, array(3, 5)))
  assert ("a", "dense", 20) in rows
  add_up(cost.of(lambda p: p["x"] @ p["w"], {"x": array(3, 5), "w": array(5, 5)}))


def test_no_two_layers_have_one_name():
  def forward(p, x):
    return x @ p["w"] @ p["w2"] @ p["w"]

  rows = add_up(cost.of(forward, {"w": array(5, 5), "w2": array(5, 5)}, array(3, 5)))
  assert [name for name, _, _ in rows] == ["w", "w2", "w3"]
