"""Runs beside each other: mean, spread and interval over seeds, and differences with their p.

    python launch.py compare runs/digits_depth [--by=net.depth] [--metric=train_top1]

Runs that differ in nothing but the seed are a group. Every group is compared with the first, or
with --baseline, by a paired t test on common seeds; p is corrected for all comparisons (Holm).
"""

import math
from typing import Any

from absl import flags

from jaxnets import runs
from jaxnets.cli import reading, table

# Columns that are rounded alike; the last two are an interval.
RESULT = ("mean", "std", "test noise", "low", "high")
DIFFERENCE = ("delta", "delta low", "delta high")


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  reading.define(values)
  flags.DEFINE_float("effect", None, "say how many seeds would find a difference of so much, in "
                     "the metric's unit (points for accuracies)", flag_values=values)  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints a row for each group."""
  from jaxnets.sweep import aggregate

  paths = reading.folders(values, arguments, "compare")
  groups = reading.groups(values, aggregate.read(paths))
  found = aggregate.compare(groups, values.metric, mixed=values.mixed_protocols)
  share, marked = aggregate.is_share(values.metric), values.format in ("text", "md")
  effect = values.effect and values.effect / (100 if share else 1)
  sampled = aggregate.is_sampled(values.metric)
  speeds = [aggregate.speeds(one.group, lambda run: runs.read_metrics(run.folder)) for one in found]
  rows = [row(*pair, effect, sampled) for pair in zip(found, speeds, strict=True)]
  if marked:
    rows = [rounded(one, share) for one in rows]
  title = f"{values.metric}{', %' if share else ''}: mean over seeds, 95 % intervals"
  table.show(rows, values.format, title=title)
  if values.format == "text":
    for note in notes(found, values.metric, speeds):
      print(note)
  return 0


def row(one: Any, speeds: list[float], effect: float | None, sampled: bool) -> dict[str, Any]:
  """A group (`aggregate.Compared`) as a row of the table, all numbers as they are.

  Args:
    one: the group.
    speeds: of its runs, images per second.
    effect: to say how many seeds would find it; None to say nothing.
    sampled: whether the metric is an accuracy on images that stand for others.
  """
  from jaxnets.sweep import aggregate, statistics
  from jaxnets.sweep.keys import shorten, text_of

  summary, difference = one.summary, one.difference
  short = shorten(one.group.axes)
  noise = None
  if sampled and summary and one.images:
    noise = statistics.standard_error_of_test_set(summary.mean, one.images)
  numbers = {
    **{
      short[key]: text_of(value) if isinstance(value, list) else value
      for key, value in one.group.axes.items()
    },
    "n": len(one.values),
    "mean": summary and summary.mean,
    "std": summary and summary.std,
    "low": summary and summary.low,
    "high": summary and summary.high,
    "test noise": noise,
    "delta": difference and difference.mean,
    "delta low": difference and difference.low,
    "delta high": difference and difference.high,
    "p": one.p,
    "diverged": aggregate.count(one.group, "diverged"),
    "failed": aggregate.count(one.group, "failed"),
    "params": aggregate.cost(one.group, "params"),
    "macs": aggregate.cost(one.group, "macs"),
    "images/s": math.fsum(speeds) / len(speeds) if speeds else None,
  }
  if effect:
    std = difference.std if difference else None
    numbers["seeds needed"] = statistics.seeds_needed(effect, std) if std else None
  return numbers


def rounded(row: dict[str, Any], share: bool) -> dict[str, Any]:
  """A row for people: shares in percent, to a hundredth of a point; a single seed with a dagger.

  Other metrics have the digits that their interval supports: two of its half-width.
  """
  from jaxnets.report.words import DAGGER

  short = dict(row)
  if row["n"] == 1:
    short["n"] = f"1 {DAGGER}"
  for names in (RESULT, DIFFERENCE):
    values = [row[name] for name in names]
    decimals = 2 if share else _decimals(values[0], values[-2], values[-1])
    for name, value in zip(names, values, strict=True):
      short[name] = None if value is None else round(100 * value if share else value, decimals)
  if row["images/s"] is not None:
    short["images/s"] = _three_digits(row["images/s"])
  if row["p"] is not None:
    short["p"] = float(f"{row['p']:.2g}")
  return short


def notes(found: list[Any], metric: str, speeds: list[list[float]]) -> list[str]:
  """What has to be said below the table, where the groups have such speeds."""
  from jaxnets.report import content
  from jaxnets.sweep import aggregate

  lines = []
  left = sum(run.state not in ("done", "diverged", "failed") for g in found for run in g.group.runs)
  if left:
    lines.append(f"{left} runs are not done yet.")
  if not found[0].values and len(found) > 1:
    name = aggregate.label(found[0].group.axes)
    lines.append(f"Nothing is compared: {name} has no run that is done; choose another --baseline.")
  lines += content.notes(found, list(found[0].group.axes), metric)
  return lines + content.speed_notes([one.group for one in found], speeds)


def _three_digits(value: float) -> float:
  rough = float(f"{value:.3g}")
  return int(rough) if rough >= 100 else rough


def _decimals(mean: float | None, low: float | None, high: float | None) -> int:
  """Digits behind the point for two of the interval's half-width, or four of a lone mean."""
  if low is not None and high is not None and high > low:
    return 1 - math.floor(math.log10((high - low) / 2))
  return 3 - math.floor(math.log10(abs(mean))) if mean else 3
