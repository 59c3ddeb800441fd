import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import nets
from jaxnets.train.state import init_state
from jaxnets.train.step import make_eval_step, make_train_step
from tests.train.tiny import distance, plain_prepare, tiny_batch, tiny_net

KEY = jax.random.key(0)


def start(net, optimiser, **options):
  return init_state(net, optimiser, KEY, (1, 8, 8, 1), **options)


def step_of(net, optimiser=None, **options):
  optimiser = optimiser or optax.sgd(0.1)
  state = start(net, optimiser, ema=bool(options.get("ema")))
  return jax.jit(make_train_step(net, optimiser, plain_prepare(), **options)), state


def test_a_tiny_batch_is_learnt_by_heart():
  step, state = step_of(tiny_net(width=0.5), optax.sgd(0.1, 0.9))
  batch = tiny_batch()
  for _ in range(60):
    state, metrics = step(state, batch, KEY)
  assert metrics["top1"] == metrics["count"] == 8
  assert metrics["loss"] / 8 < 0.05


def test_the_gradient_is_that_of_finite_differences():
  net = tiny_net(norm="none", activation="tanh")
  batch, rate = tiny_batch(), 1e-3
  step, state = step_of(net, optax.sgd(rate))
  after, _ = step(state, batch, KEY)
  images, target = plain_prepare()(KEY, batch)

  def loss(params):
    logits = net.apply(params, {}, images, train=True, key=KEY).logits
    return float(optax.softmax_cross_entropy(logits, target).mean())

  kernel = state.params["head"]["kernel"]
  for place in [(0, 0), (5, 2)]:
    shifted = [
      jax.tree.map(lambda x: x, state.params) | {
        "head": {**state.params["head"], "kernel": kernel.at[place].add(h)}
      }
      for h in (1e-2, -1e-2)
    ]  # fmt: skip
    slope = (loss(shifted[0]) - loss(shifted[1])) / 2e-2
    stepped = (kernel - after.params["head"]["kernel"])[place] / rate
    assert stepped == pytest.approx(slope, abs=2e-4)


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_gives_the_same_step(parts):
  net = tiny_net(norm_group=2)
  whole, state = step_of(net)
  divided, _ = step_of(net, accumulation=parts)
  batch = tiny_batch()
  a, metrics_a = whole(state, batch, KEY)
  b, metrics_b = divided(state, batch, KEY)
  assert distance(a.params, b.params) < 1e-6
  assert distance(a.stats, b.stats) < 1e-6
  assert metrics_a["count"] == metrics_b["count"] == 8
  np.testing.assert_allclose(metrics_a["loss"], metrics_b["loss"], rtol=1e-5)


def test_the_average_of_the_parameters_is_the_stated_recurrence():
  step, state = step_of(tiny_net(), ema=0.9)
  after, _ = step(state, tiny_batch(), KEY)
  expected = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, state.params, after.params)
  assert distance(after.ema, expected) < 1e-6
  assert distance(after.ema, after.params) > 1e-4


def test_bfloat16_computes_the_step_with_float32_parameters():
  step, state = step_of(tiny_net(dtype="bfloat16"))
  exact, _ = step_of(tiny_net())
  batch = tiny_batch()
  a, _ = step(state, batch, KEY)
  b, _ = exact(state, batch, KEY)
  assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(a.params))
  assert 0 < distance(a.params, b.params) < 0.02


def test_the_auxiliary_heads_add_their_weight_to_the_loss():
  def apply(params, stats, images, *, train=False, key=None, dropout=None):
    x = images.reshape(images.shape[0], -1)
    return nets.Output(x @ params["main"], (x @ params["one"], x @ params["two"]), stats)

  weights = {name: jnp.zeros((64, 3)) for name in ("main", "one", "two")}

  def look(*given, **more):
    return apply(*given, **more), {}

  net = nets.Net("three_heads", {}, 0.3, lambda key, shape: (weights, {}), apply, look)
  step, state = step_of(net, optax.sgd(1.0))
  after, _ = step(state, tiny_batch(), KEY)
  moved = {name: np.asarray(after.params[name] - weights[name]) for name in weights}
  assert np.abs(moved["main"]).max() > 0
  np.testing.assert_allclose(moved["one"], 0.3 * moved["main"], rtol=1e-5, atol=1e-7)
  np.testing.assert_allclose(moved["two"], 0.3 * moved["main"], rtol=1e-5, atol=1e-7)


def test_a_loss_that_is_not_finite_is_told():
  step, state = step_of(tiny_net())
  _, metrics = step(state, tiny_batch(), KEY)
  assert bool(metrics["finite"])
  broken = state._replace(params=jax.tree.map(lambda x: x * jnp.nan, state.params))
  _, metrics = step(broken, tiny_batch(), KEY)
  assert not bool(metrics["finite"])


def test_dropout_differs_from_step_to_step_and_not_from_run_to_run():
  net = nets.build("mlp", classes=3, hidden=16, dropout=0.5)
  optimiser = optax.sgd(0.0)
  state = init_state(net, optimiser, KEY, (1, 8, 8, 1))
  step = jax.jit(make_train_step(net, optimiser, plain_prepare()))
  batch = tiny_batch()
  first, one = step(state, batch, KEY)
  _, again = step(state, batch, KEY)
  _, two = step(first, batch, KEY)
  assert one["loss"] == again["loss"] != two["loss"]


def test_evaluation_counts_the_masked_images_only():
  net = tiny_net()
  params, stats = net.init(KEY, (1, 8, 8, 1))
  batch = tiny_batch() | {"mask": jnp.arange(8) < 5}
  part = {k: v[:5] for k, v in batch.items()}
  evaluate = jax.jit(make_eval_step(net, plain_prepare()))
  whole, alone = evaluate(params, stats, batch, KEY), evaluate(params, stats, part, KEY)
  assert whole["count"] == alone["count"] == 5
  np.testing.assert_allclose(whole["loss"], alone["loss"], rtol=1e-5)
