import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets.errors import ConfigError
from jaxnets.train import optim


def run(optimiser, gradients, start):
  params, state = {"kernel": jnp.asarray(start)}, None
  state = optimiser.init(params)
  for g in gradients:
    updates, state = optimiser.update({"kernel": jnp.asarray(g)}, state, params)
    params = optax.apply_updates(params, updates)
  return np.asarray(params["kernel"])


def by_hand(gradients, rates, start, momentum, decay, lr_in_velocity):
  w, v = start, 0.0
  for g, lr in zip(gradients, rates, strict=True):
    g = g + decay * w
    if lr_in_velocity:
      v = momentum * v - lr * g
      w = w + v
    else:
      v = momentum * v + g
      w = w - lr * v
  return w


@pytest.mark.parametrize("lr_in_velocity", [False, True])
def test_sgd_follows_the_papers_recurrence_across_a_drop_of_the_rate(lr_in_velocity):
  gradients = [1.0, -2.0, 0.5, 3.0, 1.0, -1.0]
  rates = [0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
  schedule = optim.make_schedule("step", 0.1, 6, drops=(0.5,), drop_factor=0.1)
  optimiser = optim.make_optimiser(
    "sgd", schedule, momentum=0.9, weight_decay=0.05, lr_in_velocity=lr_in_velocity
  )
  expected = by_hand(gradients, rates, 2.0, 0.9, 0.05, lr_in_velocity)
  np.testing.assert_allclose(run(optimiser, gradients, 2.0), expected, rtol=1e-6)


def test_the_two_forms_of_momentum_differ_once_the_rate_changes():
  gradients, rates = [1.0] * 6, [0.1] * 3 + [0.01] * 3
  forms = [by_hand(gradients, rates, 2.0, 0.9, 0.0, form) for form in (False, True)]
  assert abs(forms[0] - forms[1]) > 0.1


def test_resnets_cifar_schedule_drops_at_32_and_48_thousand():
  schedule = optim.make_schedule("step", 0.1, 64_000, drops=(0.5, 0.75))
  at = [float(schedule(s)) for s in (0, 31_999, 32_000, 47_999, 48_000, 63_999)]
  np.testing.assert_allclose(at, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rtol=1e-6)


def test_drops_count_from_the_start_of_the_run_with_its_warm_up():
  schedule = optim.make_schedule("step", 1.0, 100, warmup_steps=10, drops=(0.5,))
  at = [float(schedule(s)) for s in (0, 5, 10, 49, 50)]
  np.testing.assert_allclose(at, [0, 0.5, 1, 1, 0.1], rtol=1e-6)


def test_cosine_is_half_way_down_in_the_middle_and_zero_at_the_end():
  schedule = optim.make_schedule("cosine", 2.0, 100)
  at = [float(schedule(s)) for s in (0, 50, 100)]
  np.testing.assert_allclose(at, [2, 1, 0], atol=1e-6)


def test_poly_is_the_remaining_share_to_its_power():
  schedule = optim.make_schedule("poly", 1.0, 100, poly_power=0.5)
  np.testing.assert_allclose(float(schedule(36)), 0.8, rtol=1e-6)


def test_a_warm_up_as_long_as_the_run_is_refused():
  with pytest.raises(ConfigError, match=r"warmup_steps \(=100\) must be less than the run's 100"):
    optim.make_schedule("cosine", 1.0, 100, warmup_steps=100)


@pytest.mark.parametrize(("scaling", "rate"), [("linear", 0.4), ("sqrt", 0.2), ("none", 0.1)])
def test_the_rate_follows_the_batch_it_is_stated_for(scaling, rate):
  assert optim.peak_rate(0.1, 128, scaling, 512) == pytest.approx(rate)


@pytest.mark.parametrize("name", ["sgd", "lars", "lamb", "adamw"])
def test_with_the_kernel_mask_nothing_else_decays(name):
  params = {
    "conv": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
    "norm": {"scale": jnp.ones(2)},
  }
  zero = jax.tree.map(jnp.zeros_like, params)
  optimiser = optim.make_optimiser(
    name, optax.constant_schedule(0.1), weight_decay=0.1, decay_mask="kernels"
  )
  updates, _ = optimiser.update(zero, optimiser.init(params), params)
  assert np.all(np.asarray(updates["conv"]["kernel"]) < 0)
  assert np.all(np.asarray(updates["conv"]["bias"]) == 0)
  assert np.all(np.asarray(updates["norm"]["scale"]) == 0)


def test_clipping_bounds_the_norm_of_the_gradient():
  optimiser = optim.make_optimiser("sgd", optax.constant_schedule(1.0), momentum=0.0, clip_norm=1.0)
  np.testing.assert_allclose(run(optimiser, [30.0], 0.0), -1.0, rtol=1e-6)


def test_the_plateau_drops_after_its_patience_and_not_while_the_error_falls():
  plateau = optim.make_plateau(0.1, 2)
  state = plateau.init({})
  scales = []
  for error in (0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.2):
    state = optim.plateau_update(plateau, state, error)
    scales.append(round(float(state.scale), 6))
  assert scales[:3] == [1, 1, 1]
  assert scales[-1] == 0.1
