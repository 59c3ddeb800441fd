"""What a sweep will cost: every cell priced from its traced program, and timed when asked."""

import contextlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxnets import memory
from jaxnets.config import Config
from jaxnets.sweep import statistics
from jaxnets.sweep.cells import Cell
from jaxnets.sweep.dispatch import choose
from jaxnets.sweep.shares import Shares
from jaxnets.train import compiled
from jaxnets.train import experiment as experiments
from jaxnets.train.checkpoint import Checkpoints
from jaxnets.train.compiled import compile_step
from jaxnets.train.estimate import Estimate, estimate, subject_of
from jaxnets.train.evaluate import evaluate
from jaxnets.train.experiment import load
from jaxnets.train.loop import training_batches

STARTING = 2.0  # seconds until a worker has imported JAX


class Price(NamedTuple):
  """What a cell costs."""

  cell: Cell
  params: int
  macs: int  # of one image, forward
  field: int | None  # receptive field of a place, px; None: the whole image
  memory: int  # bytes of a train step on a device, at its peak
  fits: bool
  group: int  # cells with equal ones run one compiled program, from 1


class Probe(NamedTuple):
  """What was timed of a program, with as many workers as the sweep will have."""

  start_seconds: float  # of a run whose program is in the compilation cache
  step_seconds: float
  validation_seconds: float  # an evaluation on the validation images
  test_seconds: float
  save_seconds: float  # a checkpoint
  steps: int  # of the cell's run


def price(cells: Sequence[Cell], data_dir: str | None, share: Shares) -> list[Price]:
  """Prices cells; nets and recipes that differ in numbers only are traced once.

  Args:
    cells: of one sweep.
    data_dir: where prepared datasets are.
    share: what each worker has.
  """
  known: dict[str, Estimate] = {}
  for cell in cells:
    if cell.program not in known:
      with memory.uncollected():
        known[cell.program] = estimate(
          subject_of(cell.config, data_dir, devices=share.devices, platform=share.platform)
        )
  numbers = {program: i for i, program in enumerate(known, start=1)}
  return [_price(cell, known[cell.program], numbers[cell.program], share.memory) for cell in cells]


def _price(cell: Cell, found: Estimate, group: int, limit: int) -> Price:
  needed = found.memory.train
  field = max(found.field.size) if found.field else None
  return Price(
    cell, found.forward.params, found.forward.macs, field, needed, needed <= limit, group
  )


def seconds_of(config: Config, probe: Probe) -> float:
  """Predicted time of a cell whose program is compiled, from its steps, evaluations and saves."""
  steps, train = probe.steps, config.train
  evaluations = (steps - 1) // config.eval.every if config.data.validation else 0
  saves = -(-steps // train.checkpoint_every)
  validations = evaluations + (1 if config.data.validation else 0)
  return (
    steps * probe.step_seconds
    + validations * probe.validation_seconds
    + saves * probe.save_seconds
    + probe.test_seconds
  )


def total_seconds(cells: Sequence[Cell], probes: Mapping[str, Probe], jobs: int) -> float:
  """Predicted time of the cells with a probe, given out as `dispatch.local` does."""
  free = [STARTING] * jobs
  ran = [""] * jobs
  order = list(probes)
  timed = [cell for cell in cells if cell.program in probes]
  waiting = sorted(timed, key=lambda cell: order.index(cell.program))
  while waiting:
    worker = free.index(min(free))
    cell = waiting.pop(choose([c.program for c in waiting], ran[worker], ran))
    probe = probes[cell.program]
    if cell.program != ran[worker]:
      free[worker] += probe.start_seconds
    free[worker] += seconds_of(cell.config, probe)
    ran[worker] = cell.program
  return max(free)


def smallest_effect(seeds: int) -> float | None:
  """The difference that a paired t test on so many seeds finds with power 0.8 at the level 0.05.

  In standard deviations of the differences, which only runs can tell; None for one seed.
  """
  return statistics.detectable(seeds, 1.0)


def probe_cell(config: Config, data_dir: str | None, steps: int) -> dict[str, Any]:
  """Times the parts of a run: `Probe`, as a dict. Writes to a folder that is gone afterwards.

  The start is that of a run whose programs are in the compilation cache, as they are from now on.
  """
  clock = time.monotonic
  _begin(config, data_dir)
  experiments.forget()
  compiled.forget()
  jax.clear_caches()
  began = clock()
  experiment, step, state, run, batches = _begin(config, data_dir)
  started = clock()
  for _ in range(steps):
    state, metrics = step(state, next(batches), run)
    jax.block_until_ready(metrics)
  stepped = clock()
  evaluations = []
  for source in (experiment.validation, load(config, "test", data_dir)):
    first = clock()
    if source is not None:
      evaluate(experiment, state, source)
    evaluations.append(clock() - first)
  with tempfile.TemporaryDirectory() as folder:
    with contextlib.closing(Checkpoints(Path(folder) / "checkpoints", 1)) as checkpoints:
      saving = clock()
      for number in (1, 2):
        checkpoints.save(number, state)
        checkpoints.wait()
    saved = clock()
  return Probe(
    start_seconds=started - began,
    step_seconds=(stepped - started) / steps,
    validation_seconds=evaluations[0],
    test_seconds=evaluations[1],
    save_seconds=(saved - saving) / 2,
    steps=experiment.steps,
  )._asdict()


def _begin(config: Config, data_dir: str | None) -> tuple[Any, ...]:
  """A run after its first step and its first evaluation, which compile."""
  experiment = experiments.build(config, data_dir)
  key = jax.random.key(0)
  state = experiment.init(key)
  batches = training_batches(experiment, 0)
  batch, run = next(batches), (key, experiment.recipe)
  step = compile_step(experiment.program, experiment.train_step, state, batch, run).call
  state, metrics = step(state, batch, run)
  jax.block_until_ready(metrics)
  evaluate(experiment, state, experiment.validation or load(config, "test", data_dir))
  return experiment, step, state, run, batches
