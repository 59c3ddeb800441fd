"""A net is looked at while it trains: when, on which images, and what of it is written.

`probes` and `pictures` say what is looked at.
"""

import math
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets import runs
from jaxnets.config import Config
from jaxnets.data.batches import eval_batch
from jaxnets.data.records import Source, Stored, select
from jaxnets.train import pictures
from jaxnets.train.experiment import Experiment
from jaxnets.train.probes import MEASURES
from jaxnets.train.state import State
from jaxnets.train.step import Batch

IMAGES = 8  # that are shown


def is_due(config: Config, step: int) -> bool:
  """Whether the step numbered `step`, from 1, is probed: the first, and every so many."""
  every = config.train.probe_every
  return bool(every) and (step == 1 or step % every == 0)


def write(
  workdir: Path, experiment: Experiment, state: State, batch: Batch, run: Any, step: int
) -> float:
  """Adds the rows of a step to probes.jsonl, renews pictures.npz; the seconds that this took.

  A number that a layer has not, or that is not finite, is null.
  """
  jax.block_until_ready(state)  # the steps before take their own time
  start = time.monotonic()
  split, shown = shown_of(experiment)
  found, seen = jax.device_get(experiment.probe(state, batch, run, shown))
  if jax.process_index() == 0:
    rows = [{"step": step, "layer": layer} | _finite(row) for layer, row in found.items()]
    runs.append_metrics(workdir, *rows, file=runs.PROBES)
    if seen:
      facts = {"images": shown["image"], "labels": shown["label"], "split": split,
               "classes": experiment.info.classes}  # fmt: skip
      pictures.write(workdir, step, seen, facts)
  return time.monotonic() - start


def shown_of(experiment: Experiment) -> tuple[str, dict[str, np.ndarray]]:
  """(split, batch) of the images: the first of each class, then the second, in stored order."""
  source, config = experiment.validation or experiment.training, experiment.config
  order = np.argsort(source.labels, kind="stable")
  labels = source.labels[order]
  place = np.arange(len(labels)) - np.searchsorted(labels, labels)  # within its class
  rows = order[np.argsort(place, kind="stable")][:IMAGES]
  stored = select(Stored(source.labels, source.images, source.records), rows)
  size = config.data.image_size
  batch = eval_batch(
    Source(source.info, source.split, *stored), 0, batch=len(rows), host=(0, 1), image_size=size,
    short_side=size * config.eval.scale,
  )  # fmt: skip
  return source.split, {"image": batch["image"], "label": batch["label"]}


def _finite(row: dict[str, Any]) -> dict[str, float | None]:
  numbers = {what: float(row.get(what, math.nan)) for what in MEASURES}
  return {what: x if math.isfinite(x) else None for what, x in numbers.items()}
