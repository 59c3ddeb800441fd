"""The GPU benchmarks, tiny and on the CPU: that they measure what they say and can fail."""

import inspect
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import checks, gpu, packs, recipes, records, speed, turns
from jaxnets import config, nets
from jaxnets.data.batches import train_batches
from jaxnets.train.inputs import make_prepares
from jaxnets.train.mesh import make_mesh
from jaxnets.train.optim import make_optimiser, make_schedule
from jaxnets.train.state import init_state
from jaxnets.train.step import jit_step, make_train_step

ROOT = Path(__file__).parents[1]
# Compiling is most of the time here.
QUICK = {"xla_backend_optimization_level": 0}
# Kills itself, as a lost machine would, once the state of the first chunk is written.
DYING = """
import os, signal, sys
from benchmarks import cifar, gpu
save = cifar.save
def last(*arguments):
  save(*arguments)
  os.kill(os.getpid(), signal.SIGKILL)
cifar.save = last
gpu.main(sys.argv[1:])
"""


def process(*command: str) -> int:
  """Runs Python in a process of its own; its exit code."""
  flags = " ".join(f"--{name}={value}" for name, value in QUICK.items())
  environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": flags}
  return subprocess.run(
    [sys.executable, "-W", "error", *command], cwd=ROOT, env=environment, check=False
  ).returncode


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
  """A synthetic set in two files."""
  folder = tmp_path_factory.mktemp("packs")
  whole = packs.synthetic()
  assert len(packs.write(whole, folder, file_bytes=15_000)) == 2
  return folder, whole


def cifar(data: Path, out: Path, *more: str) -> list[str]:
  return [
    "cifar",
    "--small",
    f"--data={data}",
    f"--out={out}",
    "--nets=resnet20",
    "--seeds=1",
    *more,
  ]


def record(out: Path) -> dict:
  return json.loads((out / "cifar" / "resnet20-seed0.json").read_text())


@pytest.fixture(scope="module")
def uninterrupted(packed, tmp_path_factory):
  out = tmp_path_factory.mktemp("whole")
  assert process("benchmarks/gpu.py", *cifar(packed[0], out)) == 0
  return record(out)


def test_what_is_packed_is_read_again_and_a_missing_part_is_noticed(packed, tmp_path):
  folder, whole = packed
  again = packs.read(folder)
  assert again.sha256 == whole.sha256
  for role in packs.ROLES:
    np.testing.assert_array_equal(again.splits[role].images, whole.splits[role].images)
  part = sorted(folder.iterdir())[0]
  (tmp_path / part.name).write_bytes(part.read_bytes())
  assert gpu.main(cifar(tmp_path, tmp_path)) == 3


def test_a_killed_run_goes_on_to_the_same_bits(packed, uninterrupted, tmp_path):
  assert [row["step"] for row in uninterrupted["curve"]] == [2, 4]
  assert process("-c", DYING, *cifar(packed[0], tmp_path)) == -signal.SIGKILL
  assert not (tmp_path / "cifar" / "resnet20-seed0.json").exists()
  assert process("benchmarks/gpu.py", *cifar(packed[0], tmp_path)) == 0
  resumed = record(tmp_path)
  assert resumed["params_sha256"] == uninterrupted["params_sha256"]
  timed = ("seconds", "images_per_second")
  for a, b in zip(resumed["curve"], uninterrupted["curve"], strict=True):
    assert {k: v for k, v in a.items() if k not in timed} == {
      k: v for k, v in b.items() if k not in timed
    }
  assert gpu.main(cifar(packed[0], tmp_path, "--steps=8")) == 2  # another recipe, the same place


def test_a_chunk_of_steps_is_the_steps_of_the_package(packed, uninterrupted):
  whole, recipe = packed[1], recipes.recipe(0, "float32", small=True)
  net = nets.build("cifar_resnet20", classes=10, **dict(recipe.fields))
  rate = make_schedule("step", recipe.lr, recipe.steps, drops=recipe.drops)
  optimiser = make_optimiser("sgd", rate, momentum=0.9, weight_decay=1e-4)
  source = recipes.source(whole)
  c = config.load("experiments/cifar10_resnet.py:resnet20")
  options = c.data.to_dict() | {"pad": recipe.pad, "image_size": 8}
  known = inspect.signature(make_prepares).parameters
  options = {name: value for name, value in options.items() if name in known}
  prepare, _ = make_prepares(source, classes=10, **options)
  step = jit_step(make_train_step(net, optimiser, prepare), make_mesh())
  init_key, key = jax.random.split(jax.random.key(0))
  state = jax.jit(lambda key: init_state(net, optimiser, key, (1, 8, 8, 3)))(init_key)
  batches = list(train_batches(source, seed=0, batch=recipe.batch, steps=recipe.steps))
  program = step.lower(state, batches[0], key).compile(compiler_options=QUICK)
  for batch in batches:
    state, metrics = program(state, batch, key)
  last = uninterrupted["curve"][-1]["grad_norm"]
  assert float(metrics["grad_norm"]) == pytest.approx(last, rel=1e-4)


def test_the_recipe_is_that_of_the_experiment():
  c = config.load("experiments/cifar10_resnet.py:resnet20")
  recipe = recipes.Recipe()
  assert (c.train.steps, c.train.batch, c.optim.lr) == (recipe.steps, recipe.batch, recipe.lr)
  assert (c.optim.drops, c.optim.momentum) == (recipe.drops, recipe.momentum)
  assert (c.optim.weight_decay, c.data.pad) == (recipe.weight_decay, recipe.pad)
  assert (c.data.validation, c.data.flip, c.data.normalise) == (packs.VALIDATION, True, "pixel")
  assert c.train.precision == recipe.precision
  assert recipes.chunk_length(recipe.steps, 45_000 / recipe.batch) == 320


def test_the_checks_pass_on_the_cpu_and_leave_a_record(tmp_path):
  arguments = ("check", "--small", "--nets=alexnet_owt", f"--out={tmp_path}")
  assert process("benchmarks/gpu.py", *arguments) == 0
  found = json.loads((tmp_path / "check" / "alexnet_owt.json").read_text())
  assert found["passed"]
  assert found["checks"]["again float32"]["same_bits"]
  assert 0 < found["checks"]["smooth bfloat16 gradient"]["error"] < 0.1


def test_another_function_and_nan_fail_the_checks():
  a = {"x": np.ones((3, 3)), "y": np.ones(2)}
  assert checks.relative(a, a) == 0
  assert checks.relative({"x": -a["x"], "y": a["y"]}, a) == pytest.approx(math.sqrt(36 / 11))
  bad = {"x": a["x"] * math.nan, "y": a["y"]}
  for error in (
    checks.relative(bad, a),
    checks.worst(bad, a),
    checks.relative(a, {"x": 0, "y": 0}),
  ):
    assert not checks.verdict(error, math.inf)["passed"]
  assert not checks.verdict(0.5, 0.25)["passed"]


def test_frameworks_take_turns_and_one_that_fails_leaves_them(monkeypatch):
  asked = []

  def ask(worker, command, until):
    asked.append((worker, command))
    if command.startswith("build"):
      return {"platform": "gpu", "parameters": 7, "macs": 5}
    loss = math.nan if worker == "c" and len(asked) > 6 else 2.0
    return {"seconds": {"a": 1.0, "b": 2.0, "c": 4.0}[worker], "loss": loss}

  monkeypatch.setattr(turns, "ask", ask)
  workers = {"ours": "a", "eager": "b", "compiled": "c"}
  found = speed.take_turns(workers, "train", speed.Plan(8, 10, 3), records.deadline(0))
  assert "".join(worker for worker, _ in asked) == "abc" + "abc" + "abc" + "ab"
  assert found["ours"]["images_per_second"] == {"median": 80, "min": 80, "max": 80, "n": 3}
  assert found["eager"]["ours_over_it"]["median"] == 2
  assert "error" in found["compiled"]
  assert "images_per_second" not in found["compiled"]
  limits = {"matmul": {"median": 2400.0}, "copy": {"median": 320.0}}
  speed.add_limits(found, "train", limits, (2.0, 1.0))
  assert found["ours"]["mfu"] == 1  # 80 images/s of 30 FLOPs
  assert found["ours"]["of_traffic_limit"] == {"unfused": 0.5, "fused": 0.25}


def test_a_name_that_is_not_there_is_an_error_with_the_nearest():
  with pytest.raises(config.ConfigError, match='Did you mean "resnet20"'):
    records.chosen(("resnet2",), ("resnet20", "plain20"))
