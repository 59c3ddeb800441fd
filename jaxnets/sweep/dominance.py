"""Dominated points: who is beaten by what costs no more, and whether the seeds can tell."""

from collections.abc import Mapping, Sequence

from jaxnets.sweep import statistics

Point = tuple[float, float]  # cost and error; less of either is better


def dominates(one: Point, other: Point) -> bool:
  """Whether a point is as cheap and as good as another, and one of these it is more."""
  return one[0] <= other[0] and one[1] <= other[1] and one != other


def dominated(points: Sequence[Point]) -> list[bool]:
  """Of each point, whether any dominates it. Equal points do not dominate each other."""
  order = sorted(range(len(points)), key=lambda i: points[i])
  found = [False] * len(points)
  best: Point | None = None  # the least error so far, and of those the cheapest
  for i in order:
    if best is None or points[i][1] < best[1]:
      best = points[i]
    found[i] = dominates(best, points[i])
  return found


def is_told_apart(
  better: Mapping[int, float], worse: Mapping[int, float], level: float = 0.95
) -> bool:
  """Whether the t interval of the difference of two errors, by seed, is above zero.

  In pairs where two seeds or more are common, else of the two means (Welch). There is none of one
  run, or without any spread.
  """
  if len(better.keys() & worse.keys()) > 1:
    low = statistics.paired(better, worse, level).low
  else:
    low, _ = statistics.unpaired(better.values(), worse.values(), level)
  return low is not None and low > 0
