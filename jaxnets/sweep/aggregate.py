"""Runs in groups that differ in the seed, and groups beside each other. No JAX here."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets.config import flatten
from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.runs import Run, read_run, speed
from jaxnets.sweep import folder, pipelines, statistics
from jaxnets.sweep.keys import shorten, text_of
from jaxnets.sweep.statistics import Difference, Summary

SEED = "seed"
# Fields that say how a run was watched, not what it was.
UNSEEN = (
  "train.log_every",
  "train.probe_every",
  "eval.masks",
  "eval.fitted",
  "train.checkpoint_every",
  "train.keep",
  "data.workers",
  "eval.batch",
)
FOLLOWED = "eval.every"  # by the learning rate, with optim.schedule=plateau; else unseen too
RATES = ("top1", "top5")  # metrics that are shares of images


class Group(NamedTuple):
  """Runs of one config with several seeds."""

  axes: dict[str, Any]  # dotted keys in which the groups differ
  runs: list[Run]  # all of them, those that failed too
  pooled: tuple[str, ...]  # keys other than the seed that differ inside


class Compared(NamedTuple):
  """A group's metric, and its difference from the first group's on common seeds."""

  group: Group
  values: dict[int, float]  # by seed, of the runs that are done
  summary: Summary | None  # None when none is done
  difference: Difference | None  # from the first; None for the first itself
  p: float | None  # of that difference, corrected for all comparisons (Holm)
  images: int  # that the metric is a mean over
  protocol: str


def read(paths: Iterable[Path]) -> list[Run]:
  """The runs of sweep folders, run folders, and folders of run folders, each once.

  Raises:
    ConfigError: a folder with none.
  """
  found: dict[Path, Run] = {}
  for path in paths:
    if folder.is_sweep(path):
      # A cell that has not begun is told of by the sweep alone.
      some = [
        run if run.config else run._replace(config=row["config"])
        for row, run in folder.runs_of(folder.read(path))
      ]
    elif (path / "run.json").exists():
      some = [read_run(path)]
    else:
      some = [read_run(p.parent) for p in sorted(path.glob("*/run.json"))]
    if not some:
      raise ConfigError(f"{path} holds no sweep and no run\nGive a --workdir of sweep or train")
    found |= {run.folder.absolute(): run for run in some}
  return list(found.values())


def group(runs: Sequence[Run], by: Sequence[str] = ()) -> list[Group]:
  """Runs with equal configs but for the seed; or with equal values of the keys `by`.

  Raises:
    ConfigError: a key that no config has, or no run has begun.
  """
  configs = [pipelines.own_fields(flatten(run.config)) for run in runs]
  begun = [(run, config) for run, config in zip(runs, configs, strict=True) if config]
  if not begun:
    raise ConfigError("none of the runs has begun yet\nSee python launch.py status")
  keys = list(dict.fromkeys(key for _, config in begun for key in config))
  plateau = any(config.get("optim.schedule") == "plateau" for _, config in begun)
  unseen = (SEED, *UNSEEN, *(() if plateau else (FOLLOWED,)))
  for key in by:
    if key not in keys:
      raise ConfigError(f"--by={key}: no config has this field.{did_you_mean(key, keys)}")
  found = pipelines.varied([config for _, config in begun])
  varied = [key for key in found if key not in unseen]
  chosen = list(by) or varied
  groups: dict[str, Group] = {}
  members: dict[str, list[dict[str, Any]]] = {}
  for run, config in begun:
    axes = {key: config.get(key) for key in chosen}
    own = groups.setdefault(repr(axes), Group(axes, [], ()))
    own.runs.append(run)
    members.setdefault(repr(axes), []).append(config)
  rest = [key for key in varied if key not in chosen]
  groups = {text: one._replace(runs=_each_once(one.runs)) for text, one in groups.items()}
  return _sized(
    one._replace(pooled=tuple(k for k in rest if len({repr(c.get(k)) for c in members[text]}) > 1))
    for text, one in groups.items()
  )


def _each_once(runs: Sequence[Run]) -> list[Run]:
  """One of several runs that ended in the same parameters: that with the most metrics.

  They differ in what training does not see, as `eval.fitted`; studies that share a net have them.
  """
  found: dict[Any, list[Run]] = {}
  for run in runs:
    ended = run.summary.get("params_sha256")
    found.setdefault((run.config[SEED], ended) if ended else run.folder, []).append(run)
  return [max(alike, key=lambda run: len(run.summary.get("metrics", {})))
          for alike in found.values()]  # fmt: skip


def compare(
  groups: Sequence[Group], metric: str, *, level: float = 0.95, mixed: bool = False
) -> list[Compared]:
  """A metric of every group, and how it differs from the first group's.

  Args:
    groups: the first is what the others are compared with.
    metric: of summary.json, such as "test_top1", "train_loss".
    level: of the intervals.
    mixed: whether numbers of several protocols may stand together.

  Raises:
    ConfigError: no run has the metric; two protocols; a seed that comes twice in a group.
  """
  values = [by_seed(one, metric) for one in groups]
  if not any(values):
    raise ConfigError(f'no run that is done has a metric "{metric}".{_near(groups, metric)}')
  protocols = [_protocols(one) for one in groups]
  every = set().union(*protocols)
  if len(every) > 1 and not mixed:
    listed = "; ".join(sorted(every))
    raise ConfigError(
      f"the runs were measured by several protocols ({listed})\n"
      "They are no ranking; --mixed_protocols shows them together all the same"
    )
  differences = [None, *(statistics.paired(values[0], own, level) for own in values[1:])]
  corrected = [None, *statistics.holm([d.p for d in differences if d is not None])]
  return [
    Compared(
      one, own, statistics.summarise(own.values(), level) if own else None,
      difference, p, _images(one, metric), " / ".join(sorted(protocol)),
    )
    for one, own, difference, p, protocol in zip(
      groups, values, differences, corrected, protocols, strict=True
    )
  ]  # fmt: skip


def by_seed(one: Group, metric: str) -> dict[int, float]:
  """The metric of every run of a group that is done, by its seed.

  A group that pools several configs has one value a seed: the mean over all of them. A seed of
  which one is not done is left out, lest the mean depend on which are.
  """
  found: dict[int, list[float]] = {}
  partial = set()
  for run in one.runs:
    value = run.summary.get("metrics", {}).get(metric)
    if isinstance(value, int | float):
      found.setdefault(run.config[SEED], []).append(value)
    elif one.pooled:
      partial.add(run.config[SEED])
  found = {seed: some for seed, some in found.items() if seed not in partial}
  if not one.pooled and any(len(some) > 1 for some in found.values()):
    twice = next(seed for seed, some in found.items() if len(some) > 1)
    first, second, *_ = (
      run.folder for run in one.runs if run.config[SEED] == twice and run.summary
    )
    raise ConfigError(
      f"{first} and {second} are two runs of one config with seed {twice}\n"
      "Give each run folder once"
    )
  return {seed: math.fsum(some) / len(some) for seed, some in sorted(found.items())}


def with_baseline(groups: Sequence[Group], text: str | None) -> list[Group]:
  """The groups with the one first that `text` names: "depth=20,shortcut=A".

  Raises:
    ConfigError: no group is named so, or several.
  """
  if not text:
    return list(groups)
  wanted = [word.partition("=")[::2] for word in text.split(",")]
  fits = [one for one in groups if all(_has(one, key, value) for key, value in wanted)]
  if len(fits) != 1:
    raise ConfigError(
      f"--baseline={text} fits {len(fits)} groups, not one\n"
      f"Groups: {'; '.join(label(one.axes) for one in groups[:8])}"
    )
  return [fits[0], *(one for one in groups if one is not fits[0])]


def _has(one: Group, key: str, value: str) -> bool:
  return any(
    key in (name, name.rpartition(".")[2]) and text_of(own).lower() == value.lower()
    for name, own in one.axes.items()
  )


def count(one: Group, state: str) -> int:
  """Runs of the group in a state."""
  return sum(run.state == state for run in one.runs)


def cost(one: Group, name: str) -> int | None:
  """ "params" or "macs" of the group's net; None when its runs differ in it, or none is done."""
  found = {run.summary[name] for run in one.runs if name in run.summary}
  return found.pop() if len(found) == 1 else None


def images(one: Group, known: Mapping[Any, int]) -> int | None:
  """The training images of a group's runs; None where it is not known or they differ in it.

  Args:
    one: the group.
    known: of `pipelines.all_images`.
  """
  numbers = {pipelines.images(run, known) for run in one.runs} - {None}
  return numbers.pop() if len(numbers) == 1 else None


def speeds(one: Group, read: Callable[[Run], list[dict[str, Any]]]) -> list[float]:
  """Images per second of the group's runs that are done, as `runs.speed`, of those that logged any.

  Members of a program are left out: their rows hold the evaluations and checkpoints of the others.

  Args:
    one: the group.
    read: gives a run's rows of metrics.
  """
  alone = [run for run in one.runs if run.state == "done" and not run.record.get("members")]
  found = [speed(read(run)) for run in alone]
  return [value for value in found if value is not None]


def label(axes: dict[str, Any]) -> str:
  """ "depth=20, shortcut=none"."""
  short = shorten(axes)
  return ", ".join(f"{short[key]}={text_of(value)}" for key, value in axes.items())


def is_share(metric: str) -> bool:
  """Whether a metric is a share of images, shown in percent."""
  return metric.rpartition("_")[2] in RATES


def is_sampled(metric: str) -> bool:
  """Whether a metric is an accuracy on images that the net was not trained on."""
  return is_share(metric) and not metric.startswith("train_")


def _sized(groups: Iterable[Group]) -> list[Group]:
  """The groups, of pipelines with their number of training images where the config says 0: all.

  Where it is not known it stays 0; so it does beside a group of just that number.
  """
  groups = list(groups)
  known = pipelines.all_images(run for one in groups for run in one.runs)
  for i, one in enumerate(groups):
    if one.axes.get(pipelines.IMAGES) == 0 and (number := images(one, known)):
      axes = one.axes | {pipelines.IMAGES: number}
      if all(other.axes != axes for other in groups):
        groups[i] = one._replace(axes=axes)
  return groups


def _protocols(one: Group) -> set[str]:
  """How the group's runs were measured."""
  return {run.summary.get("metrics", {}).get("protocol", "") for run in one.runs} - {""}


def _images(one: Group, metric: str) -> int:
  name = f"{metric.rpartition('_')[0]}_count"
  counts = [run.summary.get("metrics", {}).get(name, 0) for run in one.runs]
  return max(counts, default=0)


def _near(groups: Sequence[Group], metric: str) -> str:
  metrics = {name for one in groups for run in one.runs for name in run.summary.get("metrics", {})}
  metrics = sorted(metrics - {"protocol"})
  if not metrics:
    return " None is done yet"
  return did_you_mean(metric, metrics) + f"\nMetrics: {', '.join(metrics)}"
