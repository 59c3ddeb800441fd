"""What the nets compute: identities that hold by construction, and training against evaluation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import nets

KEY = jax.random.key(0)
SMALL = {
  "resnet": ("cifar_resnet20", {"units": (1, 1, 1), "width": 0.5}, 8),
  "vgg": ("vgg11_bn", {"stem": "small", "width": 0.1, "hidden": 100}, 16),
  "googlenet": (
    "googlenet_bn_aux",
    {"stem": "small", "width": 0.1, "units": (1, 1, 1), "branches": ("1x1", "5x5")},
    10,
  ),
}


# These nets run once: their compilation is all the time they take.
quick_jit = functools.partial(
  jax.jit,
  compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True},
)


def images(batch, side, seed=0):
  return jax.random.normal(jax.random.key(seed), (batch, side, side, 3))


def built(name, fields, side, **more):
  net = nets.build(name, classes=5, **fields, **more)
  return net, *quick_jit(net.init, static_argnums=1)(KEY, (1, side, side, 3))


def run(net, *arguments, train=False, key=KEY):
  """One forward pass: parameters, statistics, images."""
  return quick_jit(functools.partial(net.apply, train=train))(*arguments, key=key)


def test_a_unit_whose_last_scale_is_zero_is_the_identity_on_what_a_relu_gives():
  """He et al. 2015, section 1: a deeper net can always do nothing with its added layers."""
  fields = {"stem": "small", "shortcut": "A", "zero_last_scale": True}
  deep, params, stats = built("cifar_resnet20", {"units": (2, 2, 3), **fields}, 8)
  shallow = nets.build("cifar_resnet20", classes=5, units=(1, 1, 1), **fields)
  units = {s: {"unit1": params[s]["unit1"]} for s in ("stage1", "stage2", "stage3")}
  x = images(3, 8)
  expected = run(shallow, params | units, stats, x, train=True).logits
  logits = run(deep, params, stats, x, train=True).logits
  # Two compiled programs: equal but for the order in which their sums are taken.
  np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-7)
  # The control has no shortcut: the same parameters make a constant of its input.
  plain = nets.build("cifar_plain20", classes=5, units=(2, 2, 3), zero_last_scale=True)
  logits = run(plain, params, stats, x, train=True).logits
  np.testing.assert_array_equal(logits, np.broadcast_to(logits[:1], logits.shape))


@pytest.mark.parametrize("family", SMALL)
def test_rematerialisation_changes_neither_logits_nor_gradients(family):
  name, fields, side = SMALL[family]
  stages = {"resnet": (1, 2, 3), "vgg": (1, 2, 3, 4, 5), "googlenet": (3, 4, 5)}[family]
  net, params, stats = built(name, fields, side)
  again = nets.build(name, classes=5, remat=stages, **fields)
  x = images(4, side)

  def loss(net, params):
    output = net.apply(params, stats, x, train=True, key=KEY)
    return jnp.square(output.logits).sum() + sum(jnp.square(a).sum() for a in output.aux), output

  def gradient(net):
    return jax.grad(lambda p: loss(net, p), has_aux=True)

  program = str(jax.make_jaxpr(gradient(again))(params))
  assert "remat" in program or "checkpoint" in program
  (grads, output), (grads_again, output_again) = (
    quick_jit(gradient(n))(params) for n in (net, again)
  )
  # A bias before batch norm has no gradient but rounding; there both are next to nothing.
  nothing = 1e-6 * max(float(np.abs(g).max()) for g in jax.tree.leaves(grads))

  def compare(a, b):
    if np.abs(a).max() < nothing:
      assert np.abs(b).max() < nothing
    else:
      np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(a).max())

  jax.tree.map(compare, (grads, output), (grads_again, output_again))


@pytest.mark.parametrize("family", SMALL)
def test_half_precision_computes_close_to_single_and_keeps_parameters_and_logits_in_it(family):
  name, fields, side = SMALL[family]
  net, params, stats = built(name, fields, side)
  half, half_params, half_stats = built(name, fields, side, dtype="bfloat16")
  jax.tree.map(np.testing.assert_array_equal, (params, stats), (half_params, half_stats))
  assert all(x.dtype == jnp.float32 for x in jax.tree.leaves((half_params, half_stats)))
  x = images(4, side)
  exact, rounded = (run(n, params, stats, x).logits for n in (net, half))
  assert exact.dtype == rounded.dtype == jnp.float32
  error = np.abs(exact - rounded).max() / np.abs(exact).max()
  assert 0 < error < 0.05  # eight bits of mantissa; zero would mean that nothing was halved


def test_two_statistics_groups_are_two_passes_over_half_the_batch():
  name, fields, side = SMALL["resnet"]
  net, params, stats = built(name, fields, side, norm_group=4)
  halves = nets.build(name, classes=5, **fields)
  x = images(8, side)
  both = run(net, params, stats, x, train=True)
  first, second = (run(halves, params, stats, part, train=True) for part in (x[:4], x[4:]))
  np.testing.assert_allclose(
    both.logits, np.concatenate([first.logits, second.logits]), rtol=1e-4, atol=1e-5
  )
  jax.tree.map(
    lambda b, f, s: np.testing.assert_allclose(b, (f + s) / 2, rtol=1e-4, atol=1e-6),
    both.stats,
    first.stats,
    second.stats,
  )


def test_running_averages_move_a_tenth_of_the_way_to_the_moments_of_the_batch():
  net = nets.build("mlp", norm="batch", depth=2, hidden=8)
  params, stats = net.init(KEY, (1, 4, 4, 3))
  x = images(16, 4)
  after = run(net, params, stats, x, train=True).stats["hidden1_norm"]
  hidden = np.asarray(x.reshape(16, -1) @ params["hidden1"]["kernel"], np.float64)
  np.testing.assert_allclose(after["mean"], 0.1 * hidden.mean(0), rtol=1e-3, atol=1e-6)
  np.testing.assert_allclose(after["variance"], 0.9 + 0.1 * hidden.var(0), rtol=1e-4)
  assert net.apply(params, stats, x).stats is stats


@pytest.mark.parametrize(
  ("name", "fields"),
  [
    ("mlp", {"hidden": 32, "dropout": 0.5}),
    ("cifar_resnet20", {"units": (1, 1, 1), "norm": "none", "dropout": 0.5}),
    (
      "cifar_resnet20",
      {"units": (1, 1, 1), "norm": "none", "dropout": 0.5, "dropout_place": "unit"},
    ),
  ],
)
def test_dropout_acts_in_training_only_and_is_a_function_of_its_key(name, fields):
  net, params, stats = built(name, fields, 8)
  x = images(2, 8)

  def train(seed):
    return np.asarray(run(net, params, stats, x, train=True, key=jax.random.key(seed)).logits)

  evaluated = np.asarray(run(net, params, stats, x).logits)
  np.testing.assert_array_equal(train(1), train(1))
  assert np.abs(train(1) - train(2)).max() > 1e-6
  assert np.abs(train(1) - evaluated).max() > 1e-6
  undropped = nets.build(name, classes=5, **fields | {"dropout": 0.0})
  np.testing.assert_array_equal(evaluated, run(undropped, params, stats, x).logits)


def test_auxiliary_heads_speak_in_training_only_and_do_not_change_the_logits():
  name, fields, side = SMALL["googlenet"]
  fields = fields | {
    "units": (1, 3, 1),
    "branches": ("1x1", "3x3"),
    "dropout": 0.0,
    "aux_dropout": 0.0,
    "norm": "none",
  }
  net, params, stats = built(name, fields, side)
  assert {"aux1_head", "aux2_head"} <= set(params)
  x = images(2, side)
  trained = run(net, params, stats, x, train=True, key=KEY)
  evaluated = run(net, params, stats, x)
  assert [a.shape for a in trained.aux] == [(2, 5), (2, 5)]
  assert evaluated.aux == ()
  assert net.aux_weight == 0.3
  np.testing.assert_allclose(trained.logits, evaluated.logits, rtol=1e-5, atol=1e-6)
  # The first in order is the one nearer to the image: without module 4b it does not change.
  broken = params | {"inception4b": jax.tree.map(jnp.zeros_like, params["inception4b"])}
  heads = run(net, broken, stats, x, train=True, key=KEY).aux
  np.testing.assert_array_equal(heads[0], trained.aux[0])
  assert np.abs(heads[1] - trained.aux[1]).max() > 1e-6


@pytest.mark.parametrize(
  ("branches", "channels"),
  [
    (("1x1", "3x3", "5x5", "pool"), 256),
    (("1x1", "3x3", "pool"), 256 - 32),
    (("5x5",), 32),
  ],
)
def test_a_dropped_branch_takes_its_channels_out_of_the_module(branches, channels):
  net = nets.build("googlenet", stem="small", units=(1, 1, 1), branches=branches)
  params, _ = jax.eval_shape(lambda key: net.init(key, (1, 16, 16, 3)), KEY)
  module = params["inception4a"]
  first = module["1x1"] if "1x1" in module else module["5x5_reduce"]
  assert first["kernel"].shape[2] == channels


def test_windows_of_three_pixels_overlap_and_those_of_two_do_not():
  images = jnp.zeros((1, 8, 8, 1)).at[0, 2, 2, 0].set(1.0)  # a corner that four windows share
  seen = {}
  for window in (2, 3):
    net = nets.build(
      "vgg11", classes=2, units=(1,), widths=(1,), kernel=1, head="gap", stem="small",
      pool_window=window, dropout=0.0,
    )  # fmt: skip
    params, stats = net.init(jax.random.key(0), images.shape)
    params["stage1"]["conv1"]["kernel"] = jnp.ones((1, 1, 1, 1))
    maps = net.look(params, stats, images)[1]["maps"].output[0, :, :, 0]
    seen[window] = np.argwhere(np.asarray(maps)).tolist()
  assert seen == {2: [[1, 1]], 3: [[0, 0], [0, 1], [1, 0], [1, 1]]}
