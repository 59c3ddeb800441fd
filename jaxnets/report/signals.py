"""What happened in the layers of probed runs, as numbers: by layer and step, and over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.runs import Run
from jaxnets.sweep import aggregate
from jaxnets.sweep.aggregate import Group

MEAN, LOGITS = "maps", "head"  # no activation is theirs


class Measure(NamedTuple):
  """A column of probes.jsonl."""

  name: str
  title: str
  kind: str  # "log", "share" (of 1, told in percent), "number"
  of_outputs: bool  # told of what an activation gave


MEASURES = (
  Measure("gradient_norm", "gradient by weights", "log", False),
  Measure("output_gradient", "gradient by outputs", "log", True),
  Measure("mean_square", "mean square of outputs", "log", True),
  Measure("response_std", "std of responses", "number", True),
  Measure("zero_share", "zeros, %", "share", True),
  Measure("dead_share", "dead channels, %", "share", True),
  Measure("correlation", "correlation", "number", True),
  Measure("effective_rank_share", "effective rank, %", "share", True),
  Measure("energy_90", "90 % of variance, %", "share", True),
)
NORMS = ("update_norm", "weight_norm")


class Trace(NamedTuple):
  """A run, seen in its layers."""

  run: Run
  layers: list[str]  # that give outputs, in the order of computing
  steps: list[int]
  values: dict[str, np.ndarray]  # by column, float [layers, steps], NaN where there is none


def traces(
  groups: Sequence[Group], probed: Mapping[Path, Sequence[dict[str, Any]]]
) -> list[list[Trace]]:
  """Of each group, the runs that were probed, by seed.

  Args:
    groups: of runs.
    probed: the rows of probes.jsonl of each run, by folder.
  """
  found = []
  for group in groups:
    own = [trace(run, probed[run.folder]) for run in group.runs]
    known = [one for one in own if one is not None]
    found.append(sorted(known, key=lambda one: (seed(one), one.run.folder.name)))
  return found


def trace(run: Run, rows: Sequence[dict[str, Any]]) -> Trace | None:
  """A run's rows of probes.jsonl as arrays; None without any. Norms' own rows are left out."""
  whole = [row for row in rows if "step" in row and "layer" in row]
  if not whole:
    return None
  layers = list(dict.fromkeys(row["layer"] for row in whole if row.get("zero_share") is not None))
  steps = sorted({row["step"] for row in whole})
  across, down = ({name: i for i, name in enumerate(names)} for names in (steps, layers))
  columns = [*(one.name for one in MEASURES), *NORMS]
  values = {name: np.full((len(layers), len(steps)), np.nan) for name in columns}
  for row in whole:
    if row["layer"] in down:
      for name in columns:
        if isinstance(row.get(name), int | float):
          values[name][down[row["layer"]], across[row["step"]]] = row[name]
  return Trace(run, layers, steps, values) if layers else None


def seed(one: Trace) -> int:
  """A run's seed."""
  return one.run.config[aggregate.SEED]


def named(one: Trace) -> str:
  """ "seed 0", with the state of a run that is not done."""
  state = "" if one.run.state == "done" else f", {one.run.state}"
  return f"seed {seed(one)}{state}"


def learned(one: Trace) -> list[int]:
  """The layers that have parameters, as indices."""
  return [i for i, row in enumerate(one.values["gradient_norm"]) if np.isfinite(row).any()]


def update_ratio(one: Trace) -> np.ndarray:
  """Norm of what a step adds by the norm of what it adds to, [layers, steps]."""
  update, weight = (one.values[name] for name in NORMS)
  return np.divide(update, weight, out=np.full_like(update, np.nan), where=weight > 0)


class Profile(NamedTuple):
  """A measure over the layers, mean and range over seeds."""

  places: list[int]  # from 1, in the order of computing
  mean: np.ndarray
  low: np.ndarray
  high: np.ndarray


def profile(runs: Sequence[Trace], measure: Measure, *, last: bool) -> Profile | None:
  """A measure at each run's first or last probed step; None where no layer has it.

  Runs that are done, or all where none is; those whose layers are not the first one's are left out.
  """
  own = [one for one in runs if one.run.state == "done"] or list(runs)
  own = [one for one in own if one.layers == own[0].layers]
  if not own:
    return None
  table = np.array([one.values[measure.name][:, -1 if last else 0] for one in own])
  # All measures have one axis: the places of all layers but the mean, whose input another gave.
  places = [i for i, layer in enumerate(own[0].layers) if layer != MEAN]
  kept = [
    (place, i) for place, i in enumerate(places, start=1)
    if np.isfinite(table[:, i]).any() and not (measure.of_outputs and own[0].layers[i] == LOGITS)
  ]  # fmt: skip
  if not kept:
    return None
  chosen = table[:, [i for _, i in kept]]
  mean, low, high = (of(chosen, 0) for of in (np.nanmean, np.nanmin, np.nanmax))
  return Profile([place for place, _ in kept], mean, low, high)


def steps_said(found: Sequence[Sequence[Trace]]) -> tuple[str, str]:
  """("1", "60"), or ("1", "40 to 60") where runs end apart: the first and last probed steps."""
  ends = ([t.steps[k] for own in found for t in own] for k in (0, -1))
  first, last = (
    f"{min(steps):,}" + (f" to {max(steps):,}" if max(steps) > min(steps) else "") for steps in ends
  )
  return first, last


def thinned(count: int, most: int) -> list[int]:
  """At most so many of so many, evenly, the first and the last among them; as indices."""
  if count <= most:
    return list(range(count))
  return sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
