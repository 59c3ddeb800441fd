"""Runs beside each other: mean, spread and interval over seeds, and differences with their p.

    python launch.py compare runs/digits_depth [--by=net.depth] [--metric=train_top1]

Runs that differ in nothing but the seed are a group. Every group is compared with the first, or
with --baseline, by a paired t test on common seeds; p is corrected for all comparisons (Holm).
"""

from typing import Any

from absl import flags

from jaxnets.cli import reading, table


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
  share = aggregate.is_share(values.metric)
  unit = 100 if share and values.format != "json" else 1
  effect = values.effect and values.effect / (100 if share else 1)
  marked = values.format in ("text", "md")
  rows = [row(one, unit, effect, aggregate.is_sampled(values.metric), marked) for one in found]
  title = f"{values.metric}{', %' if unit == 100 else ''}: mean over seeds, 95 % intervals"
  table.show(rows, values.format, title=title)
  if values.format == "text":
    for note in notes(found, values.metric):
      print(note)
  return 0


def row(one: Any, unit: float, effect: float | None, sampled: bool, marked: bool) -> dict[str, Any]:
  """A group (`aggregate.Compared`) as a row of the table; numbers times `unit`.

  Args:
    one: the group.
    unit: 100 for percent.
    effect: to say how many seeds would find it; None to say nothing.
    sampled: whether the metric is an accuracy on images that stand for others.
    marked: whether a single seed has a dagger.
  """
  from jaxnets.report.words import DAGGER
  from jaxnets.sweep import aggregate, statistics
  from jaxnets.sweep.keys import shorten

  summary, difference = one.summary, one.difference
  short = shorten(one.group.axes)
  noise = None
  if sampled and summary and one.images:
    noise = statistics.standard_error_of_test_set(summary.mean, one.images)
  numbers = {
    **{short[key]: _plain(value) for key, value in one.group.axes.items()},
    "n": f"1 {DAGGER}" if marked and len(one.values) == 1 else len(one.values),
    "mean": _times(summary and summary.mean, unit),
    "std": _times(summary and summary.std, unit),
    "low": _times(summary and summary.low, unit),
    "high": _times(summary and summary.high, unit),
    "test noise": _times(noise, unit),
    "delta": _times(difference and difference.mean, unit),
    "delta low": _times(difference and difference.low, unit),
    "delta high": _times(difference and difference.high, unit),
    "p": _rounded(one.p),
    "diverged": aggregate.count(one.group, "diverged"),
    "failed": aggregate.count(one.group, "failed"),
    "params": aggregate.cost(one.group, "params"),
    "macs": aggregate.cost(one.group, "macs"),
  }
  if effect:
    std = difference.std if difference else None
    numbers["seeds needed"] = statistics.seeds_needed(effect, std) if std else None
  return numbers


def notes(found: list[Any], metric: str) -> list[str]:
  """What has to be said below the table."""
  from jaxnets.report import content
  from jaxnets.sweep import aggregate

  lines = []
  left = sum(run.state not in ("done", "diverged", "failed") for g in found for run in g.group.runs)
  if left:
    lines.append(f"{left} runs are not done yet.")
  if not found[0].values and len(found) > 1:
    name = aggregate.label(found[0].group.axes)
    lines.append(f"Nothing is compared: {name} has no run that is done; choose another --baseline.")
  return [*lines, *content.notes(found, list(found[0].group.axes), metric)]


def _plain(value: Any) -> Any:
  return "x".join(map(str, value)) if isinstance(value, list) else value


def _times(value: float | None, unit: float) -> float | None:
  if value is None:
    return None
  return round(value * unit, 2) if unit != 1 else value


def _rounded(p: float | None) -> float | None:
  return None if p is None else float(f"{p:.2g}")
