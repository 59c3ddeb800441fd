"""Numbers of a run that claims are about, from what was seen in its layers. No JAX here.

They need `train.probe_every`; of a run without probes they are None.
"""

import math
import statistics
from collections.abc import Callable, Iterable

from jaxnets import runs
from jaxnets.claims.measures import Measure
from jaxnets.runs import Run

NOT_LAYERS = ("head", "maps")  # the logits, and what has no activation of its own
# A batch has fewer images than a hidden layer has units, so that few components hold all.
HIDDEN = (*NOT_LAYERS, "hidden")


def _at_the_end(
  what: str,
  mean: Callable[[Iterable[float]], float],
  said: Callable[[float], float],
  left_out: tuple[str, ...] = NOT_LAYERS,
) -> Callable[[Run], float | None]:
  """A mean over the layers that have `what`, at the last step that was probed.

  Without those whose names begin with one of `left_out`.
  """

  def of(run: Run) -> float | None:
    rows = runs.read_metrics(run.folder, runs.PROBES)
    last = max((row["step"] for row in rows), default=0)
    own = [
      row[what] for row in rows
      if row["step"] == last and not row["layer"].startswith(left_out)
    ]  # fmt: skip
    known = [value for value in own if value is not None]
    return said(mean(known)) if known else None

  return of


ZEROS = Measure(
  "zeros among the outputs, median layer",
  _at_the_end("zero_share", statistics.median, lambda share: 100 * share),
  "points",
)
SPARE = Measure(
  "components beyond 90 % of the channels' energy, median convolution",
  _at_the_end("energy_90", statistics.median, lambda share: 100 * (1 - share), HIDDEN),
  "points",
)
RESPONSE = Measure(
  "deviation of the layers' responses, geometric mean",
  _at_the_end("response_std", statistics.geometric_mean, math.log),
  "times",
)


def _reach(run: Run) -> float | None:
  """log(gradient norms in the first third of the convolutions / in the last), geometric means.

  Over all steps that were probed after the first one, whose weights nobody has trained yet.
  """
  rows = [row for row in runs.read_metrics(run.folder, runs.PROBES) if row["step"] > 1]
  ratios = []
  for step in {row["step"] for row in rows}:
    own = [
      row["gradient_norm"] for row in rows
      if row["step"] == step and row["layer"] not in NOT_LAYERS and row["zero_share"] is not None
      and row["gradient_norm"] is not None
    ]  # fmt: skip
    third = len(own) // 3
    if not third or not all(own):
      return None  # a gradient that is exactly zero has no logarithm
    ends = (statistics.geometric_mean(some) for some in (own[:third], own[-third:]))
    ratios.append(math.log(next(ends) / next(ends)))
  return statistics.fmean(ratios) if ratios else None


REACH = Measure("gradients of the first third of the layers, by those of the last", _reach, "times")
