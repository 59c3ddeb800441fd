"""What a sweep will cost: every cell priced from its traced program, and timed when asked."""

import contextlib
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxnets import memory
from jaxnets.config import Config, changed, digest
from jaxnets.sweep import plan, statistics
from jaxnets.sweep.cells import Cell
from jaxnets.sweep.dispatch import choose
from jaxnets.sweep.shares import Shares
from jaxnets.train import compiled, members
from jaxnets.train import experiment as experiments
from jaxnets.train.checkpoint import Checkpoints
from jaxnets.train.compiled import compile_step
from jaxnets.train.estimate import Estimate, estimate, subject_of
from jaxnets.train.evaluate import evaluate
from jaxnets.train.experiment import Experiment, load
from jaxnets.train.loop import training_batches

log = logging.getLogger("jaxnets")

STARTING = 2.0  # seconds until a worker has imported JAX
TURNS, TURN_SECONDS = 3, 0.5  # of the forms of members


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
  members: plan.Timing | None = None  # of several members in one program


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
  """Predicted time of a cell whose program is compiled, from its steps, evaluations and saves.

  Of one that is run as a member of several it is its share of their time.
  """
  steps, train, step_seconds = probe.steps, config.train, probe.step_seconds
  if probe.members and (chosen := plan.choose(probe.members)):
    step_seconds /= probe.members.speedup(chosen.form)
  evaluations = (steps - 1) // config.eval.every if config.data.validation else 0
  saves = -(-steps // train.checkpoint_every)
  validations = evaluations + (1 if config.data.validation else 0)
  return (
    steps * step_seconds
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


def seeds_of_each(cells: Sequence[Cell]) -> list[int]:
  """How many seeds each group of cells has that differ in nothing else."""
  groups = Counter(digest(changed(cell.config, {"seed": 0})) for cell in cells)
  return list(groups.values())


def smallest_effect(seeds: int) -> float | None:
  """The difference that a paired t test on so many seeds finds with power 0.8 at the level 0.05.

  In standard deviations of the differences, which only runs can tell; None for one seed.
  """
  return statistics.detectable(seeds, 1.0)


def probe_cell(config: Config, data_dir: str | None, steps: int, count: int = 1) -> Probe:
  """Times the parts of a run, and of `count` members. Writes to a folder that is gone afterwards.

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
    members=time_members(config, data_dir, steps, count) if count > 1 else None,
  )


def time_members(config: Config, data_dir: str | None, steps: int, count: int) -> plan.Timing:
  """What a step of one member takes, alone and in each form with `count` members.

  Turns of each form are timed in between turns of a run alone, each of at least `steps` steps of
  one member and about TURN_SECONDS; each number is the least of its turns, which other work
  disturbs least.
  """
  experiment, step, state, run, batches = _begin(config, data_dir)

  def turn_alone(steps: int) -> float:
    nonlocal state
    began = time.monotonic()
    for _ in range(steps):
      state, metrics = step(state, next(batches), run)
    jax.block_until_ready(metrics)
    return (time.monotonic() - began) / steps

  alone = [turn_alone(steps)]
  steps = max(steps, round(TURN_SECONDS / alone[0]))
  seconds: dict[str, float] = {}
  for form in members.forms(experiment, count):
    try:
      turn = _joint_turn(experiment, form, count)
      times = []
      for _ in range(TURNS):
        alone.append(turn_alone(steps))
        times.append(turn(-(-steps // count)))
    except Exception as error:  # memory, or an operation that has no such form: not a way, then
      log.info("no %d members by %s: %s", count, form, str(error).partition("\n")[0])
      continue
    seconds[form] = min(times)
  return plan.Timing(count, min(alone), seconds)


def _joint_turn(experiment: Experiment, form: str, count: int) -> Callable[[int], float]:
  """What takes so many steps of `count` members and returns the seconds of one of one member."""
  streams = [training_batches(experiment, 0) for _ in range(count)]
  keys = [jax.random.key(number) for number in range(count)]
  starts = {
    number: members.Start(
      experiment, experiment.init(key), (key, experiment.recipe), next(streams[number])
    )
    for number, key in enumerate(keys)
  }
  group = members.Group(starts, form, count)

  def turn(steps: int) -> float:
    began = time.monotonic()
    for _ in range(steps):
      metrics = group.step({number: next(stream) for number, stream in enumerate(streams)})
    jax.block_until_ready(metrics)
    return (time.monotonic() - began) / steps / count

  turn(1)
  return turn


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
