"""The train loop: from a config and a run folder to a trained network."""

import contextlib
import logging
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxnets import runs
from jaxnets.config import Config, to_json
from jaxnets.data.batches import train_batches
from jaxnets.data.crops import Crop
from jaxnets.errors import DivergedError
from jaxnets.train import latency, looking, optim
from jaxnets.train import mesh as meshes
from jaxnets.train.checkpoint import Checkpoints
from jaxnets.train.evaluate import evaluate, protocol
from jaxnets.train.experiment import Experiment, build, load
from jaxnets.train.interrupt import Stopped, interruptible, stop
from jaxnets.train.members import Course, Seat, Start, alone
from jaxnets.train.notes import announce, changed_axes, facts, note_form, note_other_kernels
from jaxnets.train.progress import reporter
from jaxnets.train.state import State, digest
from jaxnets.train.step import Batch
from jaxnets.train.track import Sink, sinks

log = logging.getLogger("jaxnets")

# Steps that may be under way on the devices, each with its batch; on a CPU each holds its temporary
# memory too, and two keep the cores busy.
AHEAD = {"cpu": 2}
AHEAD_ELSEWHERE = 8


def fit(
  config: Config, workdir: Path, data_dir: str | None = None, track: Sequence[str] = ()
) -> dict[str, Any]:
  """Trains the config's network in the run folder `workdir`, from where it was left.

  The caller holds the folder's lock. Two runs of one config give the same bits, also when one of
  them was killed and went on; so do resumed runs on as many devices.

  Args:
    config: checked.
    workdir: the run folder.
    data_dir: where prepared datasets are.
    track: names of trackers that are told each row too.

  Returns:
    What summary.json holds.

  Raises:
    ConfigError, DataError: as `build`, or the data are not those that the run began with.
    DivergedError: the loss, the gradient or the state is not finite; the last finite checkpoint
      is kept.
    StoppedError: SIGINT or SIGTERM; the newest checkpoint is named.
  """
  with interruptible() as stopped:
    return alone(course(config, workdir, stopped, data_dir, track))


def course(
  config: Config,
  workdir: Path,
  stopped: Stopped,
  data_dir: str | None = None,
  track: Sequence[str] = (),
) -> Course:
  """A run, from where its folder was left to its summary; see `members` for who takes its steps."""
  experiment = build(config, data_dir)
  first = jax.process_index() == 0
  before = runs.read_json(workdir / "run.json") or {}
  if first:
    note_other_kernels(before)
    form = {"members": before.get("members")}  # as it went on, until it is known how it goes on
    runs.begin(workdir, to_json(config), facts(experiment) | form)
  announce(experiment)
  init_key, step_key = jax.random.split(jax.random.key(config.seed))
  with contextlib.closing(Checkpoints(workdir / "checkpoints", config.train.keep)) as checkpoints:
    state = checkpoints.restore(experiment.abstract)
    if state is None:
      state = experiment.init(init_key)
    else:
      log.info("resuming at step %d of %d", state.step, experiment.steps)
    if first:
      runs.trim_metrics(workdir, int(state.step))
    with sinks(track if first else (), workdir, config, int(state.step)) as told:
      record = recorder(workdir, told)
      seat = Seat(state)
      if int(state.step) < experiment.steps:
        seat = yield from train(experiment, state, step_key, workdir, checkpoints, stopped, record)
      return summarise(experiment, seat.state, workdir, stopped, record)


def train(
  experiment: Experiment,
  state: State,
  key: jax.Array,
  workdir: Path,
  checkpoints: Checkpoints,
  stopped: Stopped,
  record: Sink,
) -> Generator[Start | Batch, Any, Seat]:
  """Steps to the end of the run, with rows of metrics, evaluations and checkpoints on the way.

  Yields a `Start`, to be sent a seat, then the batch of each step, to be sent the step's metrics.
  """
  config, every = experiment.config.train, experiment.config.eval.every
  start, pending, since = int(state.step), [], 0.0
  ahead = AHEAD.get(jax.default_backend(), AHEAD_ELSEWHERE)
  seat = Seat(state)
  with reporter(experiment.steps) as report:
    for step, batch in zip(
      range(start + 1, experiment.steps + 1), training_batches(experiment, start), strict=False
    ):
      if step == start + 1:
        seat = yield Start(experiment, state, (key, experiment.recipe), batch)
        if jax.process_index() == 0:
          note_form(workdir, seat.facts, resumed=start > 0)
        since = time.monotonic()
      if looking.is_due(experiment.config, step):
        run = key, experiment.recipe
        since += looking.write(workdir, experiment, seat.state, batch, run, step)
      pending.append((yield batch))
      if len(pending) > ahead:
        jax.block_until_ready(pending[-ahead])

      # Asked once: a signal that comes later is seen after the next step.
      number, last = stopped(), step == experiment.steps
      save = step % config.checkpoint_every == 0 or last or bool(number)
      evaluates = step % every == 0 and not last and experiment.validation is not None
      if step % config.log_every == 0 or step == ending(experiment.steps) or save or evaluates:
        row = training_row(experiment, seat, step, pending, checkpoints.steps())
        seconds, since, pending = time.monotonic() - since, time.monotonic(), []
        row["images_per_second"] = round(row["count"] / seconds, 1)
        record(row)
        report.row(step, row["loss"], row["top1"], row["images_per_second"])
        checkpoints.sign()
      if evaluates and not number:
        validate(experiment, seat, step, record)
        since = time.monotonic()
      if save:
        checkpoints.save(step, seat.state)
      if number and not last:
        checkpoints.wait()
        raise stop(number, f"at step {step} of {experiment.steps}; checkpoint {step} is kept")
  return seat


def validate(experiment: Experiment, seat: Seat, step: int, record: Sink) -> None:
  """Evaluates on the validation images; the plateau's factor follows their error."""
  assert experiment.validation is not None
  state = seat.state
  scores = evaluate(experiment, state, experiment.validation)
  record({"step": step, "split": "validation", **scores})
  if experiment.plateau is not None:
    plateau = optim.plateau_update(experiment.plateau, state.plateau, 1 - scores["top1"])
    seat.state = state._replace(plateau=plateau)


def recorder(workdir: Path, told: Sequence[Sink]) -> Sink:
  """Adds a row to the run's metrics, once for all hosts, and tells the trackers."""

  def record(row: dict[str, Any]) -> None:
    if jax.process_index() == 0:
      runs.append_metrics(workdir, row)
    for tell in told:
      tell(row)

  return record


def training_batches(experiment: Experiment, start: int) -> Iterator[dict[str, Any]]:
  """The batches of steps start, start + 1, ... on the devices."""
  section = experiment.config.data
  crop = section.crop if section.crop in ("scale_jitter", "fixed") else "random_resized"
  batches = train_batches(
    experiment.training,
    seed=experiment.config.seed,
    batch=experiment.config.train.batch,
    start_step=start,
    host=meshes.host(),
    workers=section.workers,
    image_size=section.image_size,
    crop=Crop(crop, section.crop_area, section.crop_aspect, section.scales),
  )
  return (meshes.global_batch(experiment.mesh, batch) for batch in batches)


def learning_rate(experiment: Experiment, seat: Seat, step: int) -> float:
  """The rate that the step numbered `step`, from 1, was taken with."""
  scale = 1.0 if experiment.plateau is None else float(seat.state.plateau.scale)
  return float(experiment.recipe.lr) * float(experiment.schedule(step - 1)) * scale


def training_row(
  experiment: Experiment, seat: Seat, step: int, pending: list[Any], saved: list[int]
) -> dict[str, Any]:
  """The row of metrics.jsonl for the steps whose metrics are pending, the last being `step`.

  Raises:
    DivergedError: naming the first step whose loss or gradient is not finite.
  """
  rows = jax.device_get(pending)
  for number, row in enumerate(rows, start=step - len(rows) + 1):
    if not row["finite"]:
      kept = f"checkpoint {saved[-1]} is kept" if saved else "no checkpoint was written yet"
      raise DivergedError(
        f"loss or gradient is not finite at step {number} (learning rate "
        f"{learning_rate(experiment, seat, number):.4g}); {kept}\n"
        f"Try a smaller optim.lr, optim.warmup_steps={max(100, step // 10)}, or optim.clip_norm=1.0"
      )
  count = sum(float(row["count"]) for row in rows)
  means = {k: sum(float(r[k]) for r in rows) / count for k in ("loss", "top1", "top5")}
  return {
    "step": step,
    "split": "train",
    **means,
    "count": int(count),
    "lr": learning_rate(experiment, seat, step),
    "grad_norm": float(rows[-1]["grad_norm"]),
  }


def summarise(
  experiment: Experiment,
  state: State,
  workdir: Path,
  stopped: Stopped,
  record: Sink,
) -> dict[str, Any]:
  """Evaluates the final parameters, reads the test images once, and writes summary.json."""
  config, metrics, first = experiment.config, {}, jax.process_index() == 0
  if first:
    runs.trim_metrics(workdir, experiment.steps, training_only_at_last=True)
  for split in ("validation", "test"):
    if split == "validation" and experiment.validation is None:
      continue
    if split == "test" and config.eval.fitted:
      found = evaluate(experiment, state, experiment.training)
      metrics |= {f"fitted_{name}": value for name, value in found.items()}
    if number := stopped():
      raise stop(number, f"before the {split} images were read; training is complete")
    if split == "test":
      reads = runs.note_test_read(workdir) if first else 0  # before: a kill cannot hide it
      source = load(config, split, experiment.data_dir)
      count = len(source.labels)
      log.info("reading the test split, %s images; reads of it so far: %d", f"{count:,}", reads)
    else:
      source = experiment.validation
    assert source is not None
    scores = evaluate(experiment, state, source)
    metrics |= {f"{split}_{name}": value for name, value in scores.items()}
    if split == "test" and config.eval.masks:
      found = evaluate(experiment, state, source, masked=True)
      metrics |= {f"test_masked_{name}": value for name, value in found.items() if name != "count"}
    record({"step": int(state.step), "split": split, **scores})
  inference = latency.measure(experiment, state, source)
  if first:
    runs.note(workdir, inference=inference)
    metrics |= last_training(workdir, experiment.steps)
  summary = {
    "state": "done",
    "step": int(state.step),
    "params_sha256": digest(state.params),
    "metrics": metrics | {"protocol": protocol(config)},
    "net": {"name": config.net.name, **changed_axes(experiment.net)},
    "params": sum(x.size for x in jax.tree.leaves(state.params)),
    "macs": experiment.macs,
    "data": {"name": config.data.name, "fingerprint": experiment.info.fingerprint},
    "images": len(experiment.training.labels),
  }
  if first:
    runs.write_json(workdir / "summary.json", summary)
  return summary


def ending(steps: int) -> int:
  """The step after which the last tenth of a run begins; a row of metrics ends with it."""
  return steps - max(1, steps // 10)


def last_training(workdir: Path, steps: int) -> dict[str, float | int]:
  """The means over the last tenth of the steps, on training images as they were augmented.

  However the run was logged, evaluated, saved or stopped on its way.
  """
  rows = [
    row for row in runs.read_metrics(workdir)
    if row["split"] == "train" and row["step"] > ending(steps)
  ]  # fmt: skip
  count = sum(row["count"] for row in rows)
  means = {
    f"train_{name}": round(sum(row[name] * row["count"] for row in rows) / count, 10)
    for name in ("loss", "top1")
  }
  return {**means, "train_count": count}
