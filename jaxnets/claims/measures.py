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
  is_bound: Callable[[Run], bool] = lambda run: False  # whether it is the least that it may be
  values_in: str = ""  # unit of what is no difference, where the other does not say it

  @property
  def logarithmic(self) -> bool:
    """Whether values are logarithms, so that a difference is a ratio."""
    return self.unit == "times"

  @property
  def axis(self) -> str:
    """The name with the unit of values: "test error, %"; counts have none."""
    of_differences = {"points": "%", "times": ""}
    unit = self.values_in or of_differences.get(self.unit, self.unit)
    return f"{self.name}, {unit}" if unit else self.name

  def say(self, *values: float) -> str:
    """Differences in words: "+1.20 points", "2.1 to 3.4 times", "1.003 to 1.014 times"."""
    near = self.logarithmic and any(abs(v) < 0.02 for v in values)  # 1, as it seems
    form = ("{:.4g}" if near else "{:.3g}") if self.logarithmic else "{:+.2f}"
    numbers = [form.format(math.exp(v) if self.logarithmic else v) for v in values]
    return f"{' to '.join(numbers)} {self.unit}"


def _error(metric: str) -> Callable[[Run], float | None]:
  def of(run: Run) -> float | None:
    accuracy = run.summary.get("metrics", {}).get(metric)
    return None if accuracy is None else 100 * (1 - accuracy)

  return of


TRAIN_ERROR = Measure("training error", _error("train_top1"), "points")
TEST_ERROR = Measure("test error", _error("test_top1"), "points")


def below(measure: Measure, limit: float) -> Measure:
  """How far a measure lies below a number."""

  def of(run: Run) -> float | None:
    value = measure.of(run)
    return None if value is None else limit - value

  return Measure(f"{measure.name} below {limit:g} %", of, measure.unit)


def _gap(run: Run) -> float | None:
  fitted, test = _error("fitted_top1")(run), TEST_ERROR.of(run)
  return None if fitted is None or test is None else test - fitted


# Without augmentation and dropout on both sides; needs `eval.fitted`.
GAP = Measure("test error beyond that of the same net on its training images", _gap, "points")


def _masked(run: Run) -> float | None:
  metrics = run.summary.get("metrics", {})
  if not run.config["net"].get("dropout"):
    return 0.0  # one mask is as good as any
  if "test_masked_top1" not in metrics:
    return None
  return 100 * (metrics["test_masked_top1"] - metrics["test_top1"])


MASKS_SAVE = Measure("test error that averaging masks saves, against weight scaling", _masked,
                     "points")  # fmt: skip


def steps_to(error: float) -> Measure:
  """Steps until the training error, over `log_every` steps at a time, is at most `error` (percent).

  The logarithm, so that a difference is a ratio. A run that never gets there counts as its whole
  length, the least that it may be; `is_bound` says so.
  """

  def of(run: Run) -> float | None:
    return math.log(_first(run, error) or run.summary["step"]) if run.summary else None

  def is_bound(run: Run) -> bool:
    return bool(run.summary) and _first(run, error) is None

  return Measure(f"steps to {error:g} % training error", of, "times", is_bound=is_bound)


def _first(run: Run, error: float) -> int | None:
  """The step at which the training error was low enough; None for never.

  Rows are put together as if nothing but `log_every` had ended one, however the run was evaluated,
  saved or stopped on its way.
  """
  every = run.config["train"]["log_every"]
  sums: dict[int, tuple[float, int]] = {}
  for row in runs.read_metrics(run.folder):
    if row["split"] == "train":
      end = -(-row["step"] // every) * every
      right, count = sums.get(end, (0.0, 0))
      sums[end] = right + row["top1"] * row["count"], count + row["count"]
  reached = (end for end, (right, n) in sorted(sums.items()) if 100 * (1 - right / n) <= error)
  return next(reached, None)


def _log_cost(name: str) -> Callable[[Run], float | None]:
  def of(run: Run) -> float | None:
    return math.log(run.summary[name]) if name in run.summary else None

  return of


MACS = Measure("multiply-adds", _log_cost("macs"), "times", exact=True)
PARAMS = Measure("parameters", _log_cost("params"), "times", exact=True)
