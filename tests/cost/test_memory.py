"""The estimated memory beside that of the compiled programs, which XLA knows."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxnets import config, nets
from jaxnets.cost.memory import measure_live
from jaxnets.cost.program import trace
from jaxnets.errors import ConfigError
from jaxnets.train import compiled, loop
from jaxnets.train.estimate import Subject, abstract_batch, estimate, forward_of, make_step
from jaxnets.train.fits import largest_batch
from tests.kernels.forms import needs_onednn
from tests.train.tiny import tiny_config

KEY = jax.eval_shape(lambda: jax.random.key(0))
# Batches small enough to compile in seconds, and large enough that parameters are not all.
NETS = {
  "mlp": 64,
  "alexnet": 16,
  "alexnet_owt": 8,
  "vgg11": 8,
  "vgg16_bn": 4,
  "googlenet": 8,
  "googlenet_bn_aux": 4,
  "inception_v3": 4,
  "resnet18": 16,
  "plain34": 8,
  "resnet50": 8,
  "resnext50_32x4d": 4,
  "cifar_resnet20": 64,
  "cifar_plain56": 32,
}


def subject(name, batch, **overrides):
  c = config.base(name)
  c.train.steps, c.train.batch = 100, batch
  for key, value in overrides.items():
    config.override(c, key.replace("__", "."), value)
  config.check(c)
  return Subject(c, nets.variant(name).classes)


def compile_both(about):
  """Bytes of the compiled train step, and of inference on as many images."""
  found = estimate(about)
  batch = abstract_batch(about, about.config.train.batch)
  state, images = found.state, jax.ShapeDtypeStruct(batch["image"].shape, "float32")
  step = jax.jit(make_step(about, found.net), donate_argnums=0).lower(state, batch, KEY)
  forward = jax.jit(forward_of(found.net)).lower(state.params, state.stats, images)
  return found.memory, *(compiled.total_bytes(p.compile()) for p in (step, forward))


@needs_onednn
@pytest.mark.parametrize("name", NETS)
def test_the_estimate_is_within_a_tenth_of_the_compiled_programs(name):
  memory, train, forward = compile_both(subject(name, NETS[name]))
  assert memory.kernels == "onednn"
  assert memory.train == pytest.approx(train, rel=0.1)
  assert memory.forward == pytest.approx(forward, rel=0.1)


@needs_onednn
@pytest.mark.parametrize(
  "overrides",
  [
    {"train__accumulation": 4, "train__norm_group": 16},
    {"train__ema": 0.99},
    {"optim__name": "adamw"},
    {"optim__name": "lars"},
    {"net__remat": (1, 2, 3)},
  ],
  ids=str,
)
def test_recipes_are_within_a_tenth_too(overrides):
  memory, train, _ = compile_both(subject("cifar_resnet20", 64, **overrides))
  assert memory.train == pytest.approx(train, rel=0.1)
