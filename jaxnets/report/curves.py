"""Learning curves as numbers: every run's, and their mean and band over seeds."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxnets.sweep import statistics

FEW = 5  # runs below which a band is from the least to the most, and each run is drawn
POINTS = 500  # of a line
ALL_POINTS = 12_000  # of a figure's means, so that forty groups stay a file that can be mailed


class Curve(NamedTuple):
  """A quantity of one run."""

  steps: list[int]
  values: list[float]


class Band(NamedTuple):
  """The mean over runs at every step that all have, and the band around it."""

  steps: list[int]
  mean: list[float]
  low: list[float]  # the mean itself where there is no band
  high: list[float]


def curve(rows: Sequence[dict], split: str, quantity: str) -> Curve:
  """One quantity of one split; of two rows of a step the later counts."""
  found = {
    row["step"]: float(row[quantity])
    for row in rows
    if row.get("split") == split and isinstance(row.get(quantity), int | float)
  }
  return Curve(sorted(found), [found[step] for step in sorted(found)])


def thinned(one: Curve, most: int) -> Curve:
  """At most so many points, evenly chosen, the first and the last among them."""
  n = len(one.steps)
  if n <= most:
    return one
  chosen = [round(i * (n - 1) / (most - 1)) for i in range(most)]
  return Curve([one.steps[i] for i in chosen], [one.values[i] for i in chosen])


def band(curves: Sequence[Curve], level: float) -> Band:
  """Mean, and least and most for fewer than FEW runs, else the t interval of the mean."""
  values = [dict(zip(one.steps, one.values, strict=True)) for one in curves if one.steps]
  steps = sorted(set.intersection(*map(set, values))) if values else []
  result = Band(steps, [], [], [])
  for step in steps:
    here = [own[step] for own in values]
    summary = statistics.summarise(here, level)
    low, high = (min(here), max(here)) if len(here) < FEW else (summary.low, summary.high)
    result.mean.append(summary.mean)
    result.low.append(summary.mean if low is None else low)
    result.high.append(summary.mean if high is None else high)
  return result


def points(groups: int) -> int:
  """How many points a line may have among those of so many groups."""
  return max(60, min(POINTS, ALL_POINTS // (2 * max(groups, 1))))
