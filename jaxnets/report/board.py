"""The board: error against what it costs, hand-made pipelines, MLPs and ConvNets together.

Its rows, as numbers; pure but for reading the run folders.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.report import board_names, words
from jaxnets.report.costs import COSTS, KINDS, READ, hardware_of, kind_of, mean
from jaxnets.runs import Run
from jaxnets.sweep import aggregate, dominance, statistics
from jaxnets.sweep.aggregate import SEED, Group
from jaxnets.sweep.statistics import Summary


class Row(NamedTuple):
  """Runs that differ in nothing but the seed."""

  name: str
  kind: str  # of KINDS
  errors: dict[int, float]  # by seed, shares where the metric is one
  summary: Summary  # of the errors
  protocol: str
  costs: dict[str, float | None]  # by the names of COSTS; None where it is not known
  place: str  # host and hardware of what was measured
  hardware: str
  dominated: tuple[str, ...] = ()  # costs at which another is as good or better for no more
  unsure: tuple[str, ...] = ()  # of these, where no such other is told apart by its seeds
  compared: tuple[str, ...] = ()  # costs that another row has too

  @property
  def everywhere(self) -> bool:
    """Whether it is dominated in every cost in which it is compared with another."""
    return bool(self.dominated) and self.dominated == self.compared


class Board(NamedTuple):
  """The rows by error, least first, and what has to be said of them."""

  metric: str
  share: bool  # whether errors are shares of images, told in percent
  data: str
  costs: tuple[str, ...]  # in which rows are compared
  rows: list[Row]
  notes: list[str]

  @property
  def protocols(self) -> list[str]:
    """All of them, in the order of their letters."""
    return list(dict.fromkeys(row.protocol for row in self.rows))


def gather(
  runs: Sequence[Run], metric: str, *, data: str | None = None, costs: Sequence[str] = ()
) -> Board:
  """The board of some runs.

  Args:
    runs: of `aggregate.read`.
    metric: of summary.json: an accuracy or a loss.
    data: the name of the dataset, where there are several.
    costs: names of those to compare in; else all.

  Raises:
    ConfigError: an unknown cost or dataset, several datasets, a metric that no run has or that is
      neither accuracy nor loss, no run that is done, one run given twice.
  """
  for cost in costs:
    if cost not in COSTS:
      raise ConfigError(
        f"--cost={cost}: there is no such cost.{did_you_mean(cost, COSTS)}\n"
        f"Costs: {', '.join(COSTS)}"
      )
  dataset, runs = _of_one_dataset(runs, data)
  groups = aggregate.group(runs)
  _check_once(groups)
  done = [one for one in groups if aggregate.by_seed(one, metric)]
  if not done:
    raise ConfigError(_nothing(groups, metric))
  sign = words.improves(metric)
  if not sign:
    raise ConfigError(
      f"--metric={metric} is neither an accuracy nor a loss\nFor example test_top1, test_loss"
    )
  chosen = tuple(cost for cost in COSTS if cost in (costs or COSTS))
  named, shared = board_names.of(done)
  rows = [_row(*pair, metric, sign) for pair in zip(done, named, strict=True)]
  rows.sort(key=lambda row: (row.summary.mean, row.costs["macs"] or 0, row.name))
  rows = _compared(rows, chosen)
  board = Board(metric, aggregate.is_share(metric), dataset, chosen, rows, [])
  return board._replace(notes=[*notes(board, groups, done), *shared])


def notes(board: Board, groups: Sequence[Group], done: Sequence[Group]) -> list[str]:
  """What has to be known to read the board."""
  rows, lines = board.rows, []
  if len(board.protocols) > 1:
    lines.append(
      f"The errors were measured by {len(board.protocols)} protocols, which are not the same: "
      "differences between them are no ranking."
    )
  lines.append(
    "Dominated: another row has no more error, by the means, and costs no more, and has less of "
    "one of them. ?: a guess, as no such row is told apart by its seeds (95 % t interval of the "
    "difference, in pairs where seeds are common); one seed tells nothing apart."
  )
  if any(row.summary.n == 1 for row in rows):
    lines.append(f"{words.DAGGER} One seed: no spread, no interval.")
  if any(row.summary.n > 1 and not row.summary.std for row in rows):
    lines.append("A spread of zero over several seeds allows no interval.")
  kinds = {row.kind for row in rows}
  if kinds - {KINDS[0]}:
    lines.append("float32, bfloat16, int8: a net's parameters x 4, 2, 1, counted and not tried.")
  if KINDS[0] in kinds:
    lines.append("pickled: all that a pipeline predicts with, as it is kept.")
  for cost, text in (
    ("latency", "Latency: of a batch of test images in memory, by images; features and classifier, "
                "or a net's evaluation."),
    ("memory", "Peak memory: resident in the process of the run, with interpreter, libraries, "
               "images and training; on an accelerator the host's."),
  ):  # fmt: skip
    if any(row.costs[cost] is not None for row in rows):
      lines.append(text)
  places = {row.place for row in rows if _has(row, "latency") or _has(row, "memory")}
  if len(places) > 1:
    lines.append(
      f"Latency and peak memory were measured in {len(places)} places that differ in host, devices "
      "or threads; they are compared within one only."
    )
  lines += _noise(board, done)
  lost = sum(run.state in ("diverged", "failed") for one in groups for run in one.runs)
  if lost:
    lines.append(f"{words.counted(lost, 'run')} diverged or failed, and are in no mean.")
  if len(done) < len(groups):
    lines.append(f"{words.counted(len(groups) - len(done), 'group')} without a run that is done.")
  prints = {run.summary.get("data", {}).get("fingerprint") for one in done for run in one.runs}
  if len(prints - {None}) > 1:
    lines.append(f"{board.data} was not the same everywhere: the runs' fingerprints of it differ.")
  return lines


def _noise(board: Board, done: Sequence[Group]) -> list[str]:
  """What the choice of the images that errors are of does to them."""
  count = f"{board.metric.rpartition('_')[0]}_count"
  images = {run.summary["metrics"].get(count) for one in done for run in one.runs if run.summary}
  known = sorted(n for n in images if n)
  if not known or not aggregate.is_sampled(board.metric):
    return []
  most = max(
    statistics.standard_error_of_test_set(row.summary.mean, known[0]) for row in board.rows
  )
  return [
    f"Errors are of {' or '.join(f'{n:,}' for n in known)} images, whose choice alone moves one by "
    f"a standard error of up to {words.number(most, True)} points: no part of the intervals."
  ]


def _of_one_dataset(runs: Sequence[Run], data: str | None) -> tuple[str, list[Run]]:
  begun = [run for run in runs if run.config]
  if not begun:
    raise ConfigError("none of the runs has begun yet\nSee python launch.py status")
  found = sorted({str(run.config["data"]["name"]) for run in begun})
  if data is None and len(found) > 1:
    raise ConfigError(
      f"the runs are of several datasets ({', '.join(found)}), which are no ranking\n"
      f"Choose one, for example --data={found[0]}"
    )
  if data is not None and data not in found:
    raise ConfigError(
      f"--data={data}: no run is of it.{did_you_mean(data, found)}\nDatasets: {', '.join(found)}"
    )
  chosen = data or found[0]
  return chosen, [run for run in begun if run.config["data"]["name"] == chosen]


def _check_once(groups: Sequence[Group]) -> None:
  """Refuses two runs of one config and seed, which would count as two."""
  for one in groups:
    seen: dict[int, Run] = {}
    for run in one.runs:
      if run.summary:
        first = seen.setdefault(run.config[SEED], run)
        if first is not run:
          raise ConfigError(
            f"{first.folder} and {run.folder} are runs of one config with seed {run.config[SEED]}\n"
            "Leave one of them out"
          )


def _nothing(groups: Sequence[Group], metric: str) -> str:
  found = {name for one in groups for run in one.runs for name in run.summary.get("metrics", {})}
  if not found:
    return "none of the runs is done yet\nSee python launch.py status"
  known = sorted(name for name in found if words.improves(name))
  hint = did_you_mean(metric, known)
  return f'no run that is done has a metric "{metric}".{hint}\nMetrics: {", ".join(known)}'


def _row(one: Group, name: str, metric: str, sign: int) -> Row:
  values = aggregate.by_seed(one, metric)
  errors = {s: round(1 - v, 12) if sign > 0 else v for s, v in values.items()}
  runs = [run for run in one.runs if run.summary]
  protocols = sorted({run.summary["metrics"].get("protocol", "not said") for run in runs})
  hardware = sorted({hardware_of(run) for run in runs})
  # Where a record does not name its host, what else lies in its folder was measured on the same.
  hosts = sorted({str(run.record.get("host") or run.folder.parent) for run in runs})
  return Row(
    name, kind_of(runs[0]), errors, statistics.summarise(errors.values()), " / ".join(protocols),
    {cost: mean(map(read, runs)) for cost, read in READ.items()},
    f"{hosts} {hardware}", " / ".join(hardware),
  )  # fmt: skip


def _compared(rows: Sequence[Row], costs: Sequence[str]) -> list[Row]:
  """The rows with the costs in which they are compared and dominated."""
  compared: list[list[str]] = [[] for _ in rows]
  beaten: list[list[str]] = [[] for _ in rows]
  unsure: list[list[str]] = [[] for _ in rows]
  for cost in costs:
    places: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
      if _has(row, cost):
        places.setdefault(row.place if COSTS[cost].measured else "", []).append(i)
    for members in places.values():
      points = [(float(rows[i].costs[cost] or 0), rows[i].summary.mean) for i in members]
      for i, point, is_beaten in zip(members, points, dominance.dominated(points), strict=True):
        if len(members) > 1:
          compared[i].append(cost)
        if is_beaten:
          beaten[i].append(cost)
          better = [
            j for j, p in zip(members, points, strict=True) if dominance.dominates(p, point)
          ]
          if not any(dominance.is_told_apart(rows[j].errors, rows[i].errors) for j in better):
            unsure[i].append(cost)
  return [
    row._replace(compared=tuple(c), dominated=tuple(d), unsure=tuple(u))
    for row, c, d, u in zip(rows, compared, beaten, unsure, strict=True)
  ]


def _has(row: Row, cost: str) -> bool:
  return row.costs[cost] is not None
