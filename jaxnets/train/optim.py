"""Schedules and optimisers from plain numbers."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnets.errors import ConfigError

Number = float | jax.Array  # may be traced


def peak_rate(lr: float, lr_batch: int, scaling: str, batch: int) -> float:
  """The learning rate for `batch` images when `lr` is stated for `lr_batch`.

  "linear": Goyal et al. 2017 (1706.02677); "sqrt": Krizhevsky 2014 (1404.5997); "none".
  """
  ratio = batch / lr_batch
  return lr * {"linear": ratio, "sqrt": math.sqrt(ratio), "none": 1.0}[scaling]


def make_schedule(
  name: str,
  peak: float,
  steps: int,
  *,
  warmup_steps: int = 0,
  drops: tuple[float, ...] = (),
  drop_factor: float = 0.1,
  poly_power: float = 2.0,
) -> optax.Schedule:
  """Learning rate by step: linear warm-up to `peak`, then the named course to step `steps`.

  Args:
    name: constant, step, cosine, poly or plateau (constant here; drops follow the evaluations).
    peak: learning rate after the warm-up.
    steps: length of the run, with its warm-up.
    warmup_steps: steps from 0 to the peak.
    drops: shares of the run after which the rate is multiplied by `drop_factor`.
    drop_factor: see drops.
    poly_power: power of the remaining share of the run.
  """
  if warmup_steps >= steps:
    raise ConfigError(
      f"optim.warmup_steps (={warmup_steps}) must be less than the run's {steps} steps\n"
      "For so short a run: optim.warmup_steps=0"
    )
  rest = steps - warmup_steps
  # Boundaries count from the start of the run; the part after the warm-up starts at 0.
  at = {round(d * steps) - warmup_steps: drop_factor for d in drops}
  course = {
    "constant": lambda: optax.constant_schedule(peak),
    "plateau": lambda: optax.constant_schedule(peak),
    "step": lambda: optax.piecewise_constant_schedule(peak, at),
    "cosine": lambda: optax.cosine_decay_schedule(peak, rest),
    "poly": lambda: optax.polynomial_schedule(peak, 0.0, poly_power, rest),
  }[name]()
  if not warmup_steps:
    return course
  return optax.join_schedules(
    [optax.linear_schedule(0.0, peak, warmup_steps), course], [warmup_steps]
  )


def make_optimiser(
  name: str,
  schedule: optax.Schedule,
  *,
  momentum: Number = 0.9,
  nesterov: bool = False,
  lr_in_velocity: bool = False,
  weight_decay: Number = 0.0,
  decay_mask: str = "all",
  clip_norm: float = 0.0,
) -> optax.GradientTransformationExtraArgs:
  """Gradients -> updates; `update` takes `lr_scale`, a factor on the rate of that step.

  SGD with momentum: decay is added to the gradient (L2), as in the papers. The velocity is
  m v + g, scaled by the rate when applied; with `lr_in_velocity` it is m v - lr g (Krizhevsky et
  al. 2012, section 5; Caffe), which differs while the rate changes.
  """
  mask = {"all": None, "kernels": kernels_only}[decay_mask]
  if name == "sgd":
    velocity = optax.trace(momentum, nesterov)
    rate = optax.chain(optax.scale_by_learning_rate(schedule), scale_by_argument())
    core = optax.chain(
      optax.add_decayed_weights(weight_decay, mask),
      *((rate, velocity) if lr_in_velocity else (velocity, rate)),
    )
  elif name == "lars":
    core = optax.lars(
      schedule,
      weight_decay=weight_decay,
      weight_decay_mask=True if mask is None else mask,
      trust_ratio_mask=kernels_only,
      momentum=momentum,
      nesterov=nesterov,
    )
  elif name == "lamb":
    core = optax.lamb(schedule, weight_decay=weight_decay, mask=mask)
  else:
    core = optax.adamw(schedule, weight_decay=weight_decay, mask=mask)
  core = core if name == "sgd" else optax.chain(core, scale_by_argument())
  clip = optax.clip_by_global_norm(clip_norm) if clip_norm else optax.identity()
  return optax.with_extra_args_support(optax.chain(clip, core))


def scale_by_argument() -> optax.GradientTransformationExtraArgs:
  """Multiplies the updates by the argument `lr_scale` of each call, 1 when it is not given."""

  def update(updates, state, params=None, *, lr_scale=1.0, **others):
    del params, others
    return jax.tree.map(lambda u: u * lr_scale, updates), state

  return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def kernels_only(params: Any) -> Any:
  """True for kernels, False for biases and the scales and biases of norms."""
  return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def make_plateau(factor: float, patience: int) -> optax.GradientTransformationExtraArgs:
  """Keeps a factor on the learning rate that drops when the given value stops falling.

  Fed with the validation error, once for each evaluation: the papers' "divided by 10 when the
  validation error stopped improving".
  """
  return optax.contrib.reduce_on_plateau(factor=factor, patience=patience, rtol=0.0, atol=1e-4)


def plateau_update(plateau: optax.GradientTransformationExtraArgs, state: Any, error: float) -> Any:
  """The plateau's state after an evaluation with this error, a fraction."""
  _, state = plateau.update({}, state, value=jnp.float32(error))
  return state
