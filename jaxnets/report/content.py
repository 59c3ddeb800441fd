"""All that a report says, as numbers: runs in groups, their comparison, the verdict. Pure but for
reading the run folders.
"""

import itertools
import statistics as plain
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxnets.report import axes, verdict, words
from jaxnets.report.verdict import DepthChange, Verdict
from jaxnets.runs import PROBES, Run, own_seconds, read_metrics
from jaxnets.sweep import aggregate, folder, pipelines, statistics
from jaxnets.sweep.aggregate import Compared, Group
from jaxnets.sweep.folder import Sweep
from jaxnets.sweep.keys import shorten
from jaxnets.sweep.statistics import Summary

if TYPE_CHECKING:
  from jaxnets.report.signals import Trace

LEVEL = 0.95
TRAINED = (
  "Train accuracy and loss are means over the last tenth of the steps: of augmented images, in "
  "training mode."
)


class Source(NamedTuple):
  """The folders that a report is made of."""

  names: list[str]  # of the folders; where they lie is no matter of the report
  sweeps: list[Sweep]
  runs: list[Run]  # each once


class Content(NamedTuple):
  """A report's numbers. Lists that belong to groups are in the order of `found`."""

  source: Source
  metric: str  # of summary.json
  share: bool  # whether it is a share of images, told in percent
  level: float  # of the intervals
  names: dict[str, str]  # of the dotted config keys that tell the groups apart
  found: list[Compared]  # the baseline first
  labels: list[str]
  train: list[Summary | None]  # the same quantity on the training images
  seconds: list[float | None]  # mean wall time of the runs that are done, all their starts
  logged: dict[Path, list[dict[str, Any]]]  # the metrics of every run of the groups, by folder
  probed: dict[Path, list[dict[str, Any]]]  # the same of what was seen in their layers
  traces: "list[list[Trace]]"  # of the runs that were probed
  speeds: list[list[float]]  # images per second of the runs that are done: `runs.speed`
  verdict: Verdict
  depth: list[DepthChange]
  notes: list[str]

  @property
  def keys(self) -> list[str]:
    """The keys alone."""
    return list(self.names)

  @property
  def groups(self) -> list[Group]:
    """The groups without their numbers."""
    return [one.group for one in self.found]

  def speed(self, i: int) -> float | None:
    """Mean images per second of a group's runs."""
    return _mean(self.speeds[i])


def read(paths: Iterable[Path]) -> Source:
  """The sweeps and runs in some folders.

  Raises:
    ConfigError: a folder without any.
  """
  paths = list(paths)
  sweeps = [folder.read(path) for path in paths if folder.is_sweep(path)]
  return Source([path.resolve().name for path in paths], sweeps, aggregate.read(paths))


def gather(source: Source, groups: Sequence[Group], metric: str, *, mixed: bool = False) -> Content:
  """Everything that the report says of the groups.

  Args:
    source: where the groups' runs are from.
    groups: the first is the baseline.
    metric: of summary.json, such as "test_top1".
    mixed: whether numbers of several protocols may stand together.

  Raises:
    ConfigError: as `aggregate.compare`, but for runs of which none is done yet.
  """
  from jaxnets.report import signals  # here: verbs that answer at once do without NumPy

  if any(run.summary for one in groups for run in one.runs):
    found = aggregate.compare(groups, metric, level=LEVEL, mixed=mixed)
  else:
    found = [Compared(one, {}, None, None, None, 0, "") for one in groups]
  keys = axes.shown(groups, (k for s in source.sweeps for row in s.cells for k in row["overrides"]))
  labels = [axes.named(one, keys) or "the runs" for one in groups]
  train = f"train_{metric.rpartition('_')[2]}"
  folders = [run.folder for one in groups for run in one.runs]
  logged = {own: read_metrics(own) for own in folders}
  probed = {own: read_metrics(own, PROBES) for own in folders}
  speeds = [aggregate.speeds(one, lambda run: logged[run.folder]) for one in groups]
  return Content(
    source, metric, aggregate.is_share(metric), LEVEL, shorten(keys), found, labels,
    [_summary(one, train) for one in groups],
    [_mean(run.seconds for run in one.runs if run.state == "done") for one in groups],
    logged, probed, signals.traces(groups, probed), speeds,
    verdict.judge(found, labels, metric, LEVEL),
    verdict.depth_changes(groups, keys, metric, LEVEL),
    [
      *notes(found, keys, metric),
      *([] if metric.startswith("train_") else trained_notes(groups, metric)),
      *speed_notes(groups, speeds), *_code_notes(source.runs),
    ],
  )  # fmt: skip


def notes(found: Sequence[Compared], keys: Sequence[str], metric: str) -> list[str]:
  """What has to be known to read the results table."""
  lines = [
    "Mean ± sample standard deviation over seeds (n - 1 in the denominator); intervals are 95 % "
    "t intervals of the mean."
  ]
  if any(one.difference and one.difference.n > 1 for one in found[1:]):
    lines.append(
      "Delta: mean of the paired differences from the first row on common seeds, with its 95 % t "
      "interval; p: two-sided paired t test, corrected for all rows (Holm)."
    )
  if any(len(one.values) == 1 for one in found):
    lines.append(f"{words.DAGGER} One seed: no spread, no interval, no verdict.")
  if any(len(one.values) > 1 and one.summary and not one.summary.std for one in found):
    lines.append("A spread of zero over several seeds allows no interval and no test.")
  pooled = sorted({key for one in found for key in one.group.pooled})
  if pooled:
    lines.append(f"Each group is a mean over {words.listed(pooled)} too, which differ inside it.")
  follow = sorted({key for one in found for key in one.group.axes} - set(keys))
  if follow:
    lines.append(f"Differ along with the groups and are not shown: {', '.join(follow)}.")
  lines += _protocol_notes(found, metric)
  return lines


def trained_notes(groups: Sequence[Group], metric: str) -> list[str]:
  """What numbers on training images are of: of nets, and of pipelines, which have accuracies."""
  runs = [run for one in groups for run in one.runs]
  of_pipelines = [run for run in runs if "pipeline" in run.config]
  lines = [TRAINED] if len(of_pipelines) < len(runs) else []
  if of_pipelines and aggregate.is_share(metric):
    known = pipelines.all_images(of_pipelines)
    done = [run for run in of_pipelines if run.state == "done"]
    counts = {(run.summary["metrics"]["train_count"], pipelines.images(run, known)) for run in done}
    parts = [f"the first {n:,}" for n in sorted({n for n, images in counts if n != images})]
    if any(n == images for n, images in counts):
      parts.append("all of them")
    name = "That of hand-made features" if lines else "Train accuracy"
    said = f": {' or '.join(parts)}" if parts else ""
    lines.append(f"{name} is of the fitted classifier, on training images as they are{said}.")
  return lines


def speed_notes(groups: Sequence[Group], speeds: Sequence[Sequence[float]]) -> list[str]:
  """What has to be known to read measured speeds."""
  if not any(speeds):
    return []
  lines = [
    "Images/s: of training, the median over a run's rows of metrics but the first, then the mean "
    "over runs. They were measured while other runs ran beside, as many as the sweep had workers, "
    "so they compare within this sweep only."
  ]
  places = {
    tuple(str(run.record.get(name)) for name in ("host", "devices", "threads", "kernels"))
    for one in groups for run in one.runs if run.state == "done"
  }  # fmt: skip
  if len(places) > 1:
    lines.append(
      f"The runs were in {len(places)} places that differ in host, devices, threads or kernels, so "
      "their speeds say little of the nets."
    )
  return lines


def lost(content: Content) -> list[Run]:
  """The runs that are not done, those that diverged or failed first."""
  order = ("diverged", "failed", "interrupted", "running", "waiting")
  some = [run for run in content.source.runs if run.state != "done"]
  return sorted(some, key=lambda run: (order.index(run.state), run.folder.name))


def questions(content: Content) -> list[str]:
  """What the sweeps asked, each once."""
  return list(
    dict.fromkeys(s.question.strip() for s in content.source.sweeps if s.question.strip())
  )


def seeds(content: Content) -> list[int]:
  """All seeds of the runs."""
  found = {run.config.get(aggregate.SEED) for run in content.source.runs}
  return sorted(seed for seed in found if seed is not None)


def environments(content: Content) -> list[dict[str, Any]]:
  """What the runs ran on, with how many ran there; without what none of them tells."""
  fields = {"jaxnets": "jaxnets", "code hash": "code", "python": "python", "jax": "jax",
            "scikit-learn": "scikit-learn", "scikit-image": "scikit-image",
            "devices": "devices", "hosts": "hosts", "kernels": "kernels", "threads": "threads",
            "data fingerprint": "data_fingerprint"}  # fmt: skip
  counts: dict[tuple[str, ...], int] = {}
  for run in content.source.runs:
    if run.record:
      row = tuple(str(run.record.get(name, "")) for name in fields.values())
      counts[row] = counts.get(row, 0) + 1
  known = [any(row[i] for row in counts) for i in range(len(fields))]
  return [
    {**dict(itertools.compress(zip(fields, row, strict=True), known)), "runs": n}
    for row, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
  ]


def total_seconds(content: Content) -> float:
  """Wall time of all starts of all runs, as far as it is known; of those that failed too."""
  return sum(map(own_seconds, content.source.runs))


def _code_notes(runs: Sequence[Run]) -> list[str]:
  codes = {str(run.record["code"]) for run in runs if run.record.get("code")}
  if len(codes) < 2:
    return []
  return [f"The runs are of {len(codes)} versions of the code; their hashes are listed below."]


def _protocol_notes(found: Sequence[Compared], metric: str) -> list[str]:
  lines = []
  protocols = sorted({one.protocol for one in found if one.protocol})
  if protocols:
    images = sorted({one.images for one in found if one.images})
    over = f", over {' or '.join(f'{n:,}' for n in images)} images" if images else ""
    lines.append(f"Protocol: {'; '.join(protocols)}{over}.")
  if len(protocols) > 1:
    lines.append("These protocols are not the same, so the numbers are no ranking.")
  means = [one.summary.mean for one in found if one.summary and one.images]
  if aggregate.is_sampled(metric) and means:
    noise = max(
      statistics.standard_error_of_test_set(one.summary.mean, one.images)
      for one in found if one.summary and one.images
    )  # fmt: skip
    lines.append(
      f"The choice of these images alone moves an accuracy by a standard error of up to "
      f"{words.number(noise, True)} points, for all runs alike: no part of the spread over seeds."
    )
  if metric.startswith("train_"):
    lines += trained_notes([one.group for one in found], metric)
  return lines


def _summary(one: Group, metric: str) -> Summary | None:
  values = aggregate.by_seed(one, metric)
  return statistics.summarise(values.values(), LEVEL) if values else None


def _mean(values: Iterable[float | None]) -> float | None:
  known = [value for value in values if value is not None]
  return plain.fmean(known) if known else None
