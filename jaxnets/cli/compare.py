"""Runs beside each other: mean, spread and interval over seeds, and differences with their p.

    python launch.py compare runs/degradation [--by=net.depth] [--metric=train_top1]

Runs that differ in nothing but the seed are a group. Every group is compared with the first, or
with --baseline, by a paired t test on common seeds; p is corrected for all comparisons (Holm).
"""

from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.errors import ConfigError

MARK = "†"


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_list("by", [], "fields to group by; else all that differ but the seed",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_string("metric", "test_top1", "of summary.json", flag_values=values)
  flags.DEFINE_string(
    "baseline", None, "the group to compare with, as depth=20,shortcut=A; else the first",
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_float("effect", None, "say how many seeds would find a difference of so much, in "
                     "the metric's unit (points for accuracies)", flag_values=values)  # fmt: skip
  flags.DEFINE_bool("mixed_protocols", False, "show numbers that were measured in several ways "
                    "together", flag_values=values)  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints a row for each group."""
  from jaxnets.sweep import aggregate

  paths = [Path(a) for a in [*arguments, *([values.workdir] if values.workdir else [])]]
  if not paths:
    raise ConfigError("which runs?\nFor example python launch.py compare runs/degradation")
  groups = aggregate.group(aggregate.read(paths), values.by)
  groups = aggregate.with_baseline(groups, values.baseline)
  found = aggregate.compare(groups, values.metric, mixed=values.mixed_protocols)
  share = aggregate.is_share(values.metric)
  unit = 100 if share and values.format != "json" else 1
  effect = values.effect and values.effect / (100 if share else 1)
  marked = values.format in ("text", "md")
  rows = [row(one, unit, effect, _is_sampled(values.metric), marked) for one in found]
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
  from jaxnets.sweep import aggregate, statistics
  from jaxnets.sweep.keys import shorten

  summary, difference = one.summary, one.difference
  short = shorten(one.group.axes)
  noise = None
  if sampled and summary and one.images:
    noise = statistics.standard_error_of_test_set(summary.mean, one.images)
  numbers = {
    **{short[key]: _plain(value) for key, value in one.group.axes.items()},
    "n": f"1 {MARK}" if marked and len(one.values) == 1 else len(one.values),
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
  from jaxnets.sweep import aggregate

  lines = []
  if any(len(one.values) == 1 for one in found):
    lines.append(f"{MARK} one seed: no spread, no interval, no verdict")
  pooled = sorted({key for one in found for key in one.group.pooled})
  if pooled:
    lines.append(f"each group is a mean over {', '.join(pooled)} too, which differ inside it")
  left = sum(run.state not in ("done", "diverged", "failed") for g in found for run in g.group.runs)
  if left:
    lines.append(f"{left} runs are not done yet")
  if not found[0].values and len(found) > 1:
    name = aggregate.label(found[0].group.axes)
    lines.append(f"nothing is compared: {name} has no run that is done; choose another --baseline")
  if any(one.difference and one.difference.n > 1 for one in found[1:]):
    lines.append(
      f"delta: from {aggregate.label(found[0].group.axes) or 'the first'}, on common seeds; p: "
      "paired t test, corrected for all rows (Holm)"
    )
  flat = [one for one in found if len(one.values) > 1 and one.summary and not one.summary.std]
  if flat:
    lines.append("a spread of zero over several seeds allows no interval and no test")
  images = {one.images for one in found if one.images}
  if _is_sampled(metric) and images:
    lines.append(
      "test noise: binomial, of the choice of "
      f"{' or '.join(f'{n:,}' for n in sorted(images))} images; the same for all runs, so not "
      "part of the spread over seeds"
    )
  return lines


def _is_sampled(metric: str) -> bool:
  """Whether a metric is an accuracy on images that the net was not trained on."""
  from jaxnets.sweep import aggregate

  return aggregate.is_share(metric) and not metric.startswith("train_")


def _plain(value: Any) -> Any:
  return "x".join(map(str, value)) if isinstance(value, list) else value


def _times(value: float | None, unit: float) -> float | None:
  if value is None:
    return None
  return round(value * unit, 2) if unit != 1 else value


def _rounded(p: float | None) -> float | None:
  return None if p is None else float(f"{p:.2g}")
