"""Evaluation: every image of a split counts exactly once."""

import contextlib
import functools
import math
from pathlib import Path
from typing import Any

import jax

from jaxnets import runs
from jaxnets.config import Config
from jaxnets.data import Source
from jaxnets.data.batches import eval_batches
from jaxnets.errors import ConfigError, DivergedError
from jaxnets.train import mesh as meshes
from jaxnets.train.checkpoint import Checkpoints
from jaxnets.train.experiment import Experiment, build, load
from jaxnets.train.state import State, evaluated


def evaluate(
  experiment: Experiment, state: State, source: Source, *, masked: bool = False
) -> dict[str, float | int]:
  """Mean loss (nats), top-1 and top-5 accuracy (fractions) and the number of images.

  Args:
    experiment: that was trained.
    state: its state.
    source: the images.
    masked: of the mean prediction under `eval.masks` dropout masks.

  Raises:
    DivergedError: the loss is not finite.
    RuntimeError: the images counted are not the images of the split; never in a sound build.
  """
  section, batch = experiment.config.data, batch_of(experiment)
  step, key = experiment.eval_step, jax.random.key(experiment.config.seed)
  if masked:
    assert experiment.masked_step is not None  # who asks for masks has set eval.masks
    step = functools.partial(experiment.masked_step, dropout=experiment.recipe.dropout)
  totals = None
  batches = eval_batches(
    source,
    batch=batch,
    host=meshes.host(),
    workers=section.workers,
    image_size=section.image_size,
    short_side=section.image_size * experiment.config.eval.scale,
  )
  for number, rows in enumerate(batches):
    images = meshes.global_batch(experiment.mesh, rows)
    # The key is for masks alone: nothing else is random here.
    sums = step(evaluated(state), state.stats, images, jax.random.fold_in(key, number))
    # Added up on the host in double precision: counts stay whole numbers, whatever their size.
    sums = {name: float(value) for name, value in jax.device_get(sums).items()}
    totals = sums if totals is None else {name: totals[name] + sums[name] for name in sums}
  if totals is None or totals["count"] != len(source.labels):
    raise RuntimeError(f"{len(source.labels)} images in {source.split}, counted: {totals}")
  if not math.isfinite(totals["loss"]):
    raise DivergedError(
      f"the loss on the {source.split} images is not finite at step {int(state.step)}\n"
      "Try a smaller optim.lr, optim.warmup_steps, or optim.clip_norm=1.0"
    )
  count = totals.pop("count")
  return {name: value / count for name, value in totals.items()} | {"count": int(count)}


def batch_of(experiment: Experiment) -> int:
  """Images per evaluation step: eval.batch, rounded up to a multiple of the devices."""
  devices = experiment.mesh.size
  return -(-experiment.config.eval.batch // devices) * devices


def protocol(config: Config) -> str:
  """How the final numbers were measured, in words that two comparable runs share."""
  size = config.data.image_size
  average = "averaged parameters" if config.train.ema else "parameters"
  return f"last step, {average}, one view of {size}x{size} px"


def evaluate_run(config: Config, workdir: Path, split: str, data_dir: str | None) -> dict[str, Any]:
  """Evaluates the newest checkpoint of a run folder, whose lock the caller holds.

  Args:
    config: of the run.
    workdir: the run folder.
    split: "train", "validation" or "test"; a look at the test images is counted in run.json.
    data_dir: where prepared datasets are.

  Returns:
    split, step, loss, top1, top5, count, protocol, reads of the test split.
  """
  if split == "validation" and not config.data.validation:
    raise ConfigError("this run has no validation images (data.validation=0)\nUse --split=test")
  experiment = build(config, data_dir)
  directory = workdir / "checkpoints"
  if not directory.is_dir():
    raise ConfigError(f"{workdir} has no checkpoint yet")
  with contextlib.closing(Checkpoints(directory, config.train.keep)) as checkpoints:
    state = checkpoints.restore(experiment.abstract)
  if state is None:
    raise ConfigError(f"{workdir} has no checkpoint yet")
  reads = {"test_reads": runs.note_test_read(workdir)} if split == "test" else {}
  scores = evaluate(experiment, state, load(config, split, data_dir))
  return {"split": split, "step": int(state.step), **scores, "protocol": protocol(config), **reads}
