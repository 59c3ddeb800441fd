"""The price of a sweep: the cells' own costs, hours from timed parts, and nothing written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets.errors import ConfigError
from jaxnets.sweep import cells, grid, preflight, shares
from jaxnets.train.estimate import Subject, estimate
from tests.train.tiny import tiny_config

ROOT = Path(__file__).parents[2]


def resolve(overrides):
  return cells.resolve(tiny_config(), overrides, lambda *given: {})


def test_every_cell_has_the_cost_of_its_config_and_the_number_of_its_program():
  found = resolve(grid.product([grid.sweep("net.depth", [8, 14]), grid.seeds(2)]))
  prices = preflight.price(found, None, shares.Shares([{}], "cpu", 1, 2**34))
  assert [one.group for one in prices] == [1, 1, 2, 2]
  for one in prices:
    wanted = estimate(Subject(one.cell.config, 10, 1))
    assert (one.params, one.macs) == (wanted.forward.params, wanted.forward.macs)
    assert (one.memory, one.fits) == (wanted.memory.train, True)
  less = shares.Shares([{}], "cpu", 1, prices[0].memory)
  assert [one.fits for one in preflight.price(found, None, less)] == [True, True, False, False]


PROBE = preflight.Probe(
  start_seconds=10.0, step_seconds=0.5, validation_seconds=2.0, test_seconds=3.0, save_seconds=1.0,
  steps=8,
)  # fmt: skip


def test_the_time_of_a_cell_is_the_sum_of_its_parts():
  # 8 steps; evaluations at step 4 and at the end; checkpoints at 3, 6 and 8; the test images.
  assert preflight.seconds_of(tiny_config(), PROBE) == 8 * 0.5 + 2 * 2.0 + 3 * 1.0 + 3.0
  without = tiny_config(data__validation=0.0)
  assert preflight.seconds_of(without, PROBE) == 8 * 0.5 + 3 * 1.0 + 3.0


def test_the_time_of_a_sweep_is_that_of_its_slowest_worker():
  found = resolve(grid.product([grid.sweep("net.depth", [8, 14]), grid.seeds(2)]))
  probes = {cell.program: PROBE for cell in found}
  one = preflight.seconds_of(tiny_config(), PROBE)
  alone = preflight.total_seconds(found, probes, 1)
  assert alone == preflight.STARTING + 2 * 10 + 4 * one
  together = preflight.total_seconds(found, probes, 2)
  assert together == preflight.STARTING + 10 + 2 * one


def dry_run(folder, *flags):
  done = subprocess.run(
    [sys.executable, str(ROOT / "launch.py"), "sweep", f"--config={ROOT}/tests/sweep/sweeping.py",
     "--platform=cpu", "--dry_run", *flags],
    cwd=folder, text=True, capture_output=True,
    env=os.environ | {"PYTHONPATH": str(ROOT)},
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  return done.stdout


def test_a_dry_run_says_what_a_sweep_costs_and_writes_nothing(tmp_path):
  out = dry_run(tmp_path, "--workdir=runs")
  assert "4 cells, 1 compiled programs" in out
  assert "2 seeds can find a difference of 11.55 standard deviations" in out
  assert list(tmp_path.iterdir()) == []


def test_a_probe_times_real_steps_and_writes_nothing(tmp_path):
  out = dry_run(tmp_path, "--workdir=runs", "--probe=5", "--jobs=1")
  (text,) = re.findall(r"predicted: ([\d:]+) here", out)
  seconds = sum(int(part) * 60**i for i, part in enumerate(reversed(text.split(":"))))
  assert 2 < seconds < 300
  assert list(tmp_path.iterdir()) == []


def test_seeds_are_counted_within_groups():
  rates = ((0.1, 2), (0.2, 5))
  found = resolve([{"seed": seed, "optim.lr": rate} for rate, n in rates for seed in range(n)])
  assert preflight.seeds_of_each(found) == [2, 5]


def test_one_seed_can_find_nothing():
  assert preflight.smallest_effect(1) is None
  assert preflight.smallest_effect(10) == pytest.approx(1.0, abs=0.01)


def test_gpus_are_divided_among_workers_and_say_their_own_memory(monkeypatch):
  monkeypatch.setattr(shares, "_devices", lambda: ("gpu", 4, 2**33))
  monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
  all_four, two = shares.divide(None), shares.divide(2)
  assert [e["CUDA_VISIBLE_DEVICES"] for e in all_four.environments] == ["0", "1", "2", "3"]
  assert [e["CUDA_VISIBLE_DEVICES"] for e in two.environments] == ["0,2", "1,3"]
  assert (two.platform, two.devices, two.memory) == ("cuda", 2, 2**33)
  with pytest.raises(ConfigError, match="4 GPUs"):
    shares.divide(5)


def test_cores_are_divided_among_no_more_workers_than_cells(monkeypatch):
  monkeypatch.setattr(shares.os, "sched_getaffinity", lambda process: range(16))
  few = shares.divide(None, cells=2)
  assert [e["OMP_NUM_THREADS"] for e in few.environments] == ["8", "8"]
  assert len(shares.divide(None).environments) == 16
