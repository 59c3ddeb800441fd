"""The estimated memory beside that of the compiled programs, which XLA knows."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from jaxnets import config, nets
from jaxnets.cost import memory
from jaxnets.cost.memory import measure_live
from jaxnets.cost.net import forward_of
from jaxnets.cost.program import trace
from jaxnets.errors import ConfigError
from jaxnets.kernels import norm, plain, pool
from jaxnets.train import compiled, loop
from jaxnets.train.estimate import Subject, abstract_batch, estimate, make_step
from jaxnets.train.fits import largest_batch
from tests.kernels.forms import needs_onednn
from tests.train.tiny import tiny_config

ROOT = Path(__file__).parents[2]
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
  # Parameters of auxiliary heads are there, though inference does not read them.
  forward = jax.jit(forward_of(found.net), keep_unused=True).lower(
    state.params, state.stats, images
  )
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


def test_every_device_holds_the_state_and_its_share_of_the_images():
  one, eight = (estimate(subject("cifar_resnet20", 64)._replace(devices=n)).memory for n in (1, 8))
  assert eight.batch == 8
  assert (eight.params, eight.optimiser) == (one.params, one.optimiser)
  assert eight.kept == pytest.approx(one.kept / 8, rel=0.01)


def test_remat_and_bfloat16_keep_less_on_accelerators():
  def kept(**overrides):
    about = subject("cifar_resnet20", 64, **overrides)._replace(platform="cuda")
    return estimate(about).memory

  plain = kept()
  assert kept(net__remat=(1, 2, 3)).kept < 0.2 * plain.kept
  assert kept(train__precision="bfloat16").kept == pytest.approx(0.5 * plain.kept, rel=0.1)
  # The gradient is traced with what is computed again.
  again = estimate(subject("cifar_resnet20", 64, net__remat=(1, 2, 3)))
  assert again.train_macs > 1.2 * estimate(subject("cifar_resnet20", 64)).train_macs


@needs_onednn
def test_on_a_cpu_xla_undoes_remat_and_the_estimate_says_so():
  memory, train, _ = compile_both(subject("cifar_resnet20", 64, net__remat=(1, 2, 3)))
  without, plain, _ = compile_both(subject("cifar_resnet20", 64))
  assert train > 0.95 * plain
  assert memory.train == without.train


def test_the_kernels_that_memory_knows_by_name_are_there():
  ours = [f"kernel_{f.__name__}" for f in (
    norm._batch_norm_gradient, pool._max_pool_gradient, plain.conv_normalised,
  )]  # fmt: skip
  assert [*memory.UNREAD, "kernel_conv_normalised"] == ours


def matrix(*shape):
  return jax.ShapeDtypeStruct(shape, "float32")


def test_what_the_backward_pass_keeps_is_what_its_products_read():
  def loss(w, x):  # keeps tanh(x w), 1,000 numbers, which both gradients read; x is an argument
    return (jnp.tanh(x @ w["one"]) @ w["two"]).sum()

  weights = {"one": matrix(5, 10), "two": matrix(10, 3)}
  live = measure_live(trace(jax.value_and_grad(loss), weights, matrix(100, 5)))
  assert live.kept == 4 * 100 * 10


def test_values_that_no_product_reads_are_never_written():
  def function(x, w):
    return jnp.sum(jnp.exp(-jnp.square(x @ w)) + 1.0)

  live = measure_live(trace(function, matrix(100, 5), matrix(5, 10)))
  assert live.peak == 4 * 100 * 10 + 4  # the product and the sum


def test_a_scan_needs_one_round_at_a_time():
  def function(x, matrices):
    return jax.lax.scan(lambda carry, m: (jnp.tanh(carry @ m) @ m, None), x, matrices)[0]

  short, long = (
    measure_live(trace(function, matrix(100, 50), matrix(n, 50, 50))).peak for n in (2, 200)
  )
  assert short == long


@needs_onednn
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_the_largest_batch_runs_within_the_memory_and_one_far_above_does_not():
  limit = 200 * 2**20
  fit = largest_batch(estimate(subject("cifar_resnet20", 8)), limit)

  def run(batch):
    command = [sys.executable, "-m", "tests.cost.limited", str(batch), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

  assert run(fit.batch).returncode == 0
  refused = run(2 * fit.batch)
  assert refused.returncode != 0
  assert "Out of memory" in refused.stderr


def test_a_train_step_that_does_not_fit_is_refused_before_it_runs(tmp_path, monkeypatch):
  monkeypatch.setattr(compiled.memory, "there", lambda: 2**16)
  message = r"needs 0\.\d+ GiB of memory, but there are 0\.00 GiB\nThe largest batch that fits: "
  with pytest.raises(ConfigError, match=message):
    loop.fit(tiny_config(), tmp_path)
  assert not list(tmp_path.glob("checkpoints/*"))


def test_a_memory_too_small_for_one_image_is_said_to_be():
  with pytest.raises(ConfigError, match="a batch of 1 needs"):
    largest_batch(estimate(subject("cifar_resnet20", 8)), 1000)


def test_the_largest_batch_is_a_multiple_of_what_divides_it():
  about = subject("cifar_resnet20", 64, train__accumulation=2, train__norm_group=8)
  fit = largest_batch(estimate(about._replace(devices=2)), 2**27)
  assert fit.batch % 32 == 0
  assert fit.next_batch == fit.batch + 32
