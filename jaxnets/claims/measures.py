"""Numbers of a run that claims are about. No JAX here."""

import math
from collections.abc import Callable
from typing import NamedTuple

from jaxnets import runs
from jaxnets.runs import Run


class Measure(NamedTuple):
  """A number of a run that is done, and how a difference of two is said."""

  name: str
  of: Callable[[Run], float | None]  # None where the run has no such number
  unit: str  # of differences: "points" of percent, or "times" for logarithms
  exact: bool = False  # whether it is counted, not measured: the same for every seed

  @property
  def logarithmic(self) -> bool:
    """Whether values are logarithms, so that a difference is a ratio."""
    return self.unit == "times"

  def say(self, *values: float) -> str:
    """Differences in words: "+1.20 points", "2.1 to 3.4 times"."""
    form = "{:.3g}" if self.logarithmic else "{:+.2f}"
    numbers = [form.format(math.exp(v) if self.logarithmic else v) for v in values]
    return f"{' to '.join(numbers)} {self.unit}"


def _error(metric: str) -> Callable[[Run], float | None]:
  def of(run: Run) -> float | None:
    accuracy = run.summary.get("metrics", {}).get(metric)
    return None if accuracy is None else 100 * (1 - accuracy)

  return of


TRAIN_ERROR = Measure("training error", _error("train_top1"), "points")
TEST_ERROR = Measure("test error", _error("test_top1"), "points")


def steps_to(error: float) -> Measure:
  """Steps until the training error, over the rows of metrics, is at most `error` (percent).

  The logarithm, so that a difference is a ratio. A run that never gets there counts as its whole
  length: the least that it may be.
  """

  def of(run: Run) -> float | None:
    rows = [row for row in runs.read_metrics(run.folder) if row["split"] == "train"]
    if not rows or not run.summary:
      return None
    reached = (row["step"] for row in rows if 100 * (1 - row["top1"]) <= error)
    return math.log(next(reached, run.summary["step"]))

  return Measure(f"steps to {error:g} % training error", of, "times")


def _log_cost(name: str) -> Callable[[Run], float | None]:
  def of(run: Run) -> float | None:
    return math.log(run.summary[name]) if name in run.summary else None

  return of


MACS = Measure("multiply-adds", _log_cost("macs"), "times", exact=True)
PARAMS = Measure("parameters", _log_cost("params"), "times", exact=True)
