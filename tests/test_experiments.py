"""Every experiment file: its docstring, its checks, and one real step of its run for one CPU."""

import ast
import importlib.util
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxnets import config
from jaxnets.experiment import sweep_of
from jaxnets.sweep import cells, equal, grid
from jaxnets.train import experiment, loop

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "experiments").glob("*.py"))


def names(path: Path) -> tuple[str, ...]:
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return getattr(module, "NETS", ("",))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_it_opens_with_its_question_and_its_command(path):
  text = ast.get_docstring(ast.parse(path.read_text()))
  assert "?" in text.splitlines()[0]
  assert re.search(rf"python launch.py (sweep )?--config=experiments/{path.name}", text)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_its_sweep_has_different_cells_with_several_seeds_in_full_and_for_one_cpu(path):
  for arg in ("", "runlocal"):
    own = sweep_of(f"{path}:{arg}", grid)
    if own is None:
      pytest.skip("declares no sweep")
    base = config.load(f"{path}:{arg}")
    found = cells.resolve(base, grid.plain(own), equal.make_solve(base, None))
    assert len({cell.config.seed for cell in found}) >= (2 if arg else 3)
    assert len({config.digest(config.changed(c.config, {"seed": 0})) for c in found}) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_choice_passes_the_checks_in_full_and_for_one_cpu(path):
  for name in names(path):
    for arg in (name, f"{name},runlocal"):
      c = config.load(f"{path}:{arg}")
      assert config.digest(config.from_json(config.to_json(c))) == config.digest(c)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_its_run_for_one_cpu_takes_a_step(path):
  built = experiment.build(config.load(f"{path}:runlocal", {"train.batch": 8, "optim.lr_batch": 8}))
  assert built.steps <= 1000
  state = built.init(jax.random.key(0))
  before = jax.device_get(state.params)
  batch = next(loop.training_batches(built, 0))
  state, metrics = built.train_step(state, batch, (jax.random.key(1), built.recipe))
  assert bool(metrics["finite"])
  assert metrics["count"] == 8
  moved = jax.tree.map(
    lambda a, b: float(np.abs(a - b).max()), before, jax.device_get(state.params)
  )
  assert max(jax.tree.leaves(moved)) > 0 or float(built.schedule(0)) == 0
