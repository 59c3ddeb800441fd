"""How far a sweep or a run is: the state of every cell, and what went wrong.

    python launch.py status runs/digits_depth [--format=text|json|csv|md]

A run's time is that of all its starts. A start that was killed counts until its last row of
metrics, as does one that is under way: so long it took to the step that is shown.
"""

from collections import Counter

from absl import flags

from jaxnets import runs
from jaxnets.cli import reading, table
from jaxnets.cli.clock import clock


def define(values: flags.FlagValues) -> None:
  """No flags of its own."""
  del values


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints a row for each run."""
  from jaxnets.sweep import aggregate, folder

  paths = reading.folders(values, arguments, "status")
  hashes = {}
  for path in filter(folder.is_sweep, paths):
    sweep = folder.read(path)
    hashes |= {path / row["folder"]: row["hash"][:8] for row in sweep.cells}
  found = aggregate.read(paths)
  rows = [
    {
      "cell": hashes.get(one.folder, ""),
      "run": one.folder.name,
      "state": one.state,
      "step": one.summary.get("step"),
      "steps": one.record.get("steps"),
      "time": clock(one.seconds) if one.seconds else "",
      "error": one.error.partition("\n")[0],
    }
    for one in (run if run.summary else _with_step(run) for run in found)
  ]
  counts = Counter(one.state for one in found)
  title = ", ".join(f"{counts[state]} {state}" for state in runs.STATES if counts[state])
  table.show(rows, values.format, title=f"{len(rows)} run{'s' * (len(rows) != 1)}: {title}")
  return 0


def _with_step(one: runs.Run) -> runs.Run:
  """A run that is not done, with the last step that it logged."""
  last = runs.last_metrics(one.folder)
  return one._replace(summary={"step": last["step"]}) if last else one
