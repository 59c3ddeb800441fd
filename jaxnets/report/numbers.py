"""The report's numbers as JSON and as tidy rows: fractions, never percent; seconds; counts."""

from collections.abc import Sequence
from typing import Any

from jaxnets.report import content as contents
from jaxnets.report import signals
from jaxnets.report.content import Content
from jaxnets.runs import STATES, Run, speed
from jaxnets.sweep import aggregate
from jaxnets.sweep.keys import text_of

SCHEMA = 1
MOST_PROBES = 200_000  # rows of probes.csv


def report(content: Content) -> dict[str, Any]:
  """Everything that the text and the tables of the report say."""
  states = [run.state for run in content.source.runs]
  return {
    "schema": SCHEMA,
    "folders": content.source.names,
    "questions": contents.questions(content),
    "metric": content.metric,
    "unit": "fraction" if content.share else "as logged",
    "level": content.level,
    "verdict": content.verdict._asdict(),
    "axes": content.keys,
    "groups": [group(content, i) for i in range(len(content.found))],
    "depth_changes": [
      one._asdict() | {"train": one.train._asdict(), "test": one.test._asdict()}
      for one in content.depth
    ],
    "runs": {state: states.count(state) for state in STATES} | {"all": len(states)},
    "not_done": [
      {"run": run.folder.name, "state": run.state, "error": run.error,
       "seed": run.config.get(aggregate.SEED)}
      for run in contents.lost(content)
    ],
    "seeds": contents.seeds(content),
    "seconds_of_all_runs": contents.total_seconds(content),
    "environments": contents.environments(content),
    "sweeps": [
      {"spec": s.spec, "question": s.question, "command": s.command, "base": s.base}
      for s in content.source.sweeps
    ],
    "notes": content.notes,
  }  # fmt: skip


def group(content: Content, i: int) -> dict[str, Any]:
  """A group's numbers."""
  one, train = content.found[i], content.train[i]
  return {
    "group": i + 1,
    "label": content.labels[i],
    "axes": one.group.axes,
    "pooled": list(one.group.pooled),
    "values_by_seed": {str(seed): value for seed, value in one.values.items()},
    "summary": one.summary and one.summary._asdict(),
    "train": train and train._asdict(),
    "difference": one.difference and one.difference._asdict(),
    "p_holm": one.p,
    "params": aggregate.cost(one.group, "params"),
    "macs": aggregate.cost(one.group, "macs"),
    "mean_seconds": content.seconds[i],
    "images_per_second": content.speed(i),
    "images": one.images,
    "protocol": one.protocol,
    "runs": {state: aggregate.count(one.group, state) for state in STATES},
  }


def summary_rows(content: Content) -> list[dict[str, Any]]:
  """A row for each group, every number in a column of its own."""
  rows = []
  for i, one in enumerate(content.found):
    summary, difference, train = one.summary, one.difference, content.train[i]
    rows.append(
      {
        "group": i + 1,
        **{key: text_of(one.group.axes[key]) for key in content.keys},
        "n": len(one.values),
        f"{content.metric}_mean": summary and summary.mean,
        f"{content.metric}_std": summary and summary.std,
        f"{content.metric}_low95": summary and summary.low,
        f"{content.metric}_high95": summary and summary.high,
        "delta_mean": difference and difference.mean,
        "delta_low95": difference and difference.low,
        "delta_high95": difference and difference.high,
        "delta_pairs": difference and difference.n,
        "p_uncorrected": difference and difference.p,
        "p_holm": one.p,
        f"train_{content.metric.rpartition('_')[2]}_mean": train and train.mean,
        f"train_{content.metric.rpartition('_')[2]}_std": train and train.std,
        "params": aggregate.cost(one.group, "params"),
        "macs": aggregate.cost(one.group, "macs"),
        "mean_seconds": content.seconds[i],
        "images_per_second": content.speed(i),
        **{f"runs_{state}": aggregate.count(one.group, state) for state in STATES},
      }
    )
  return rows


def run_rows(content: Content) -> list[dict[str, Any]]:
  """A row for each metric of each run; one without a value for a run that has no metrics."""
  rows = []
  for run, own in _placed(content):
    metrics = {
      name: value
      for name, value in sorted(run.summary.get("metrics", {}).items())
      if isinstance(value, int | float)
    }
    own |= {"state": run.state, "seconds": run.seconds}
    own |= {"images_per_second": speed(content.logged[run.folder])}
    rows += [
      own | {"metric": name, "value": value} for name, value in (metrics or {"": None}).items()
    ]
  return rows


def curve_rows(content: Content) -> list[dict[str, Any]]:
  """A row for each number that a run has logged."""
  rows = []
  for run, own in _placed(content):
    for logged in content.logged[run.folder]:
      place = own | {"split": logged["split"], "step": logged["step"]}
      rows += [
        place | {"metric": name, "value": value}
        for name, value in logged.items()
        if name not in ("step", "split") and isinstance(value, int | float)
      ]
  return rows


def probe_rows(content: Content) -> list[dict[str, Any]]:
  """A row for each layer of each probed step, every measure in a column of its own.

  Where these were more than MOST_PROBES the steps are thinned evenly; the first and last stay.
  """
  names = [*(one.name for one in signals.MEASURES), *signals.NORMS]
  own = [(place, _by_step(content.probed[run.folder])) for run, place in _placed(content)]
  layers = sum(max(map(len, steps.values()), default=0) for _, steps in own)
  most = max(2, MOST_PROBES // max(layers, 1))
  rows = []
  for place, steps in own:
    known = list(steps.items())
    for step, seen in (known[k] for k in signals.thinned(len(known), most)):
      for at, row in enumerate(seen, start=1):
        told = {"step": step, "place": at, "layer": row["layer"]}
        rows.append(place | told | {name: row.get(name) for name in names})
  return rows


def _by_step(rows: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
  found: dict[int, list[dict[str, Any]]] = {}
  for row in rows:
    found.setdefault(row["step"], []).append(row)
  return dict(sorted(found.items()))


def _placed(content: Content) -> list[tuple[Run, dict[str, Any]]]:
  """Every run of a group with the columns that say where it belongs."""
  return [
    (
      run,
      {
        "group": i + 1,
        **{key: text_of(one.axes[key]) for key in content.keys},
        "run": run.folder.name,
        "seed": run.config.get(aggregate.SEED),
      },
    )
    for i, one in enumerate(content.groups)
    for run in one.runs
  ]
