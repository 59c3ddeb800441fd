"""Where the time of a step goes on a CPU: in each kernel, and between them."""

import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks import workers
from benchmarks.cpu_speed import MODES, machine, work
from benchmarks.records import say, show, versions, write
from jaxnets.errors import ConfigError

BETWEEN = "XLA, and between the kernels"


def measure(out: Path, names: tuple[str, ...], steps: int, small: bool) -> int:
  """Profiles the nets called `names`; a record each in out/profile. Returns 0."""
  from jaxnets import kernels

  rows = []
  for name in names:
    given = work(name, small)
    record: dict[str, Any] = {**given._asdict(), "small": small, "machine": machine()}
    for mode in MODES:
      record[mode] = profile(mode, given, steps)
      rows += [(name, mode, *map(str, row.values())) for row in record[mode]]
    write(out, "profile", name, record | {"versions": versions(), "kernels": kernels.describe()})
    say(f"{name}: profiled")
  show(("net", "mode", "part", "ms", "share", "calls"), rows)
  return 0


def profile(mode: str, given: workers.Work, steps: int) -> list[dict[str, Any]]:
  """Milliseconds and calls of a step in every part of it, the longest first."""
  from jaxnets import kernels
  from jaxnets.kernels import calls

  if not kernels.describe().startswith("onednn"):
    raise ConfigError(
      "a profile is of the C++ kernels, which are not here: python launch.py doctor"
    )
  _, run = workers.ours(mode, given)
  run(workers.WARM_UP)
  before, whole = calls.spent(), []
  for _ in range(steps):
    start = time.perf_counter()
    run(1)
    whole.append(time.perf_counter() - start)
  parts = {}
  for name, (seconds, count) in calls.spent().items():
    old_seconds, old_count = before.get(name, (0.0, 0))
    if count > old_count:
      parts[name] = (seconds - old_seconds) / steps, (count - old_count) // steps
  parts[BETWEEN] = statistics.mean(whole) - sum(s for s, _ in parts.values()), 0
  rows = [
    {"part": name, "ms": round(1000 * seconds, 2), "share": round(seconds * steps / sum(whole), 3),
     "calls": count}
    for name, (seconds, count) in parts.items()
  ]  # fmt: skip
  return sorted(rows, key=lambda row: -row["ms"])
