"""The run folder: what a run leaves behind, and how it is read. No JAX here.

    run.json        schema, state, command, versions, devices, code hash, times, exit code
    config.json     the resolved config
    metrics.jsonl   one row per logged step and evaluation
    probes.jsonl    one row per layer and probed step, with train.probe_every
    pictures.npz    filters, and images with maps of where the net looks, at the newest such step
    summary.json    state, step, parameter hash, final metrics with protocol and counts
    log.txt         what was said
    checkpoints/    one folder per kept step

Every JSON file is replaced atomically, so a reader never meets half of one. Times are in UTC and
say so, as 2026-11-25T10:52:01+00:00.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import socket
import statistics
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import __version__
from jaxnets.errors import ConfigError, DataError

SCHEMA = 1
METRICS, PROBES, PICTURES = "metrics.jsonl", "probes.jsonl", "pictures.npz"
EVALUATED = ("validation", "test")  # splits
STATES = ("done", "running", "interrupted", "waiting", "diverged", "failed")


def write_json(path: Path, values: Any) -> None:
  """Writes `values` beside `path` and renames: old or new, never a part."""
  partial = path.with_name(f".{path.name}.{os.getpid()}")
  with open(partial, "w") as file:
    json.dump(values, file, indent=1, allow_nan=False)
    file.write("\n")
    file.flush()
    os.fsync(file.fileno())
  partial.replace(path)


def read_json(path: Path) -> Any:
  """The file's values; None when it is not there."""
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:
    return None
  except ValueError as error:
    raise ConfigError(f"{path} is not JSON: {error}") from error


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
  """Holds the run folder for this process; a second run in it is refused.

  The lock goes with the process, however it ends.

  Raises:
    ConfigError: naming the host and process that hold the folder, or why it cannot be written.
  """
  path = workdir / ".lock"
  with contextlib.ExitStack() as held:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      file = held.enter_context(open(path, "a+"))
    except OSError as error:
      raise ConfigError(f"cannot write to --workdir={workdir}: {error.strerror}") from error
    for patience in (0.1, 0.2, 0.0):  # a look by `is_locked` takes no longer
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
      except OSError:
        if patience:
          time.sleep(patience)
          continue
        file.seek(0)
        owner = file.read().strip() or "another process"
        raise ConfigError(f"{workdir} is in use by {owner}; wait for it to end") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    yield


def is_locked(workdir: Path) -> bool:
  """Whether a process holds the run folder now."""
  try:
    with open(workdir / ".lock") as file:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except FileNotFoundError:
    return False
  except OSError:
    return True
  return False


class Run(NamedTuple):
  """What a run folder says of its run."""

  folder: Path
  state: str  # of STATES
  error: str
  seconds: float | None  # that its starts took, all of them; None before the first
  config: dict[str, Any]  # {} before it began
  summary: dict[str, Any]  # {} before it is done
  record: dict[str, Any]  # run.json


def read_run(folder: Path) -> Run:
  """The run in a folder, which need not be there yet.

  A run that says it is running, in a folder that no process holds, was interrupted. Of a start that
  was killed, and of one under way, the time until its last row of metrics counts: see `_starts`.
  """
  record = read_json(folder / "run.json") or {}
  if not isinstance(record, dict):
    raise ConfigError(f"{folder}/run.json is not that of a run\nDelete the folder to run it again")
  state = record.get("state", "waiting")
  if state == "running" and not is_locked(folder):
    state = "interrupted"
  starts = _starts(folder, record)
  return Run(
    folder, state, record.get("error", ""), sum(map(_lasted, starts)) if starts else None,
    read_json(folder / "config.json") or {},
    (read_json(folder / "summary.json") or {}) if state == "done" else {},
    record,
  )  # fmt: skip


def begin(workdir: Path, config: dict[str, Any], facts: dict[str, Any]) -> None:
  """Writes config.json and run.json at the start of a run, new or resumed.

  Args:
    workdir: the run folder, locked by the caller.
    config: the resolved config.
    facts: of this start: devices, data_fingerprint, and whatever else it wants to be known by.

  Raises:
    DataError: the run began with other data.
  """
  before = read_json(workdir / "run.json") or {}
  starts = _starts(workdir, before)
  old, new = before.get("data_fingerprint"), facts.get("data_fingerprint")
  if old is not None and old != new:
    raise DataError(
      f"the data of {workdir} are not those that it began with (fingerprint {old}, now {new})\n"
      "Use a new --workdir, or the --data_dir of before"
    )
  start = {
    "time": now(),
    "host": socket.gethostname(),
    "process": os.getpid(),
    "argv": sys.argv,
    "code": code_hash(),
    "jaxnets": __version__,
    "python": sys.version.split()[0],
    **facts,
  }
  forgotten = _forget_peak()
  write_json(workdir / "config.json", config)
  write_json(
    workdir / "run.json",
    {
      "schema": SCHEMA,
      "state": "running",
      **{name: value for name, value in start.items() if name != "time"},
      "peak_forgotten": forgotten,
      "test_reads": before.get("test_reads", 0),
      "starts": [*starts, start],
    },
  )


def end(workdir: Path, state: str, exit_code: int, error: str = "") -> None:
  """Notes how the run ended; in its own process also the most that was resident since `begin`."""
  run = read_json(workdir / "run.json") or {"schema": SCHEMA}
  run |= {"state": state, "exit": exit_code, "ended": now(), "error": error}
  here = run.get("process") == os.getpid() and run.get("host") == socket.gethostname()
  if here and run.get("peak_forgotten"):
    run["peak_resident_bytes"] = _resident()["VmHWM"]
  write_json(workdir / "run.json", run)


def note(workdir: Path, **facts: Any) -> None:
  """Adds facts to run.json that are known only now."""
  run = read_json(workdir / "run.json") or {"schema": SCHEMA}
  write_json(workdir / "run.json", run | facts)


def note_test_read(workdir: Path) -> int:
  """Counts a look at the test split; returns how many there were with this one."""
  run = read_json(workdir / "run.json") or {"schema": SCHEMA}
  run["test_reads"] = run.get("test_reads", 0) + 1
  write_json(workdir / "run.json", run)
  return run["test_reads"]


def append_metrics(workdir: Path, *rows: dict[str, Any], file: str = METRICS) -> None:
  """Adds rows to metrics.jsonl, or to PROBES."""
  with open(workdir / file, "a") as lines:
    lines.write("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def read_metrics(workdir: Path, file: str = METRICS) -> list[dict[str, Any]]:
  """The rows of metrics.jsonl, or of PROBES; a last line that was cut off is left out."""
  try:
    lines = (workdir / file).read_text().splitlines()
  except FileNotFoundError:
    return []
  rows = []
  for line in lines:
    with contextlib.suppress(ValueError):
      rows.append(json.loads(line))
  return rows


def read_pictures(workdir: Path) -> dict[str, Any]:
  """The arrays of pictures.npz; {} where there is none, or none that can be read."""
  import numpy as np  # here, for the verbs that read a folder at once

  try:
    with np.load(io.BytesIO((workdir / PICTURES).read_bytes()), allow_pickle=False) as file:
      return dict(file)
  except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
    return {}


def own_seconds(run: Run) -> float:
  """What a run took of its process: its time, or its share of that of a program with members."""
  members = run.record.get("members") or {"count": 1}
  return (run.seconds or 0.0) / members["count"]


def speed(rows: Iterable[dict[str, Any]]) -> float | None:
  """Images per second of training: the median over a run's rows of metrics; None without any.

  A row's steps and its waiting for data count, the evaluations between rows do not. The first row
  is left out where there are others: its time may hold the warm-up of devices and input. Rows of
  all lengths weigh the same; what else ran on the machine slows them all.
  """
  rates = [
    row["images_per_second"]
    for row in rows
    if row.get("split") == "train" and isinstance(row.get("images_per_second"), int | float)
  ]
  return statistics.median(rates[1:] or rates) if rates else None


def last_metrics(workdir: Path) -> dict[str, Any] | None:
  """The last whole row of metrics.jsonl; only the end of the file is read."""
  try:
    with open(workdir / "metrics.jsonl", "rb") as file:
      file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
      lines = file.read().decode(errors="replace").splitlines()
  except FileNotFoundError:
    return None
  for line in reversed(lines):
    with contextlib.suppress(ValueError):
      return json.loads(line)
  return None


def trim_metrics(workdir: Path, step: int, *, training_only_at_last: bool = False) -> None:
  """Drops the rows of metrics and probes after `step`, which a resumed run writes again.

  With `training_only_at_last` the evaluations at `step` go too.
  """
  for file in (METRICS, PROBES):
    rows = [
      row
      for row in read_metrics(workdir, file)
      if row["step"] < step
      or (row["step"] == step and not (training_only_at_last and row.get("split") in EVALUATED))
    ]
    path = workdir / file
    if file == PROBES and not path.exists():
      continue
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text("".join(json.dumps(r) + "\n" for r in rows))
    partial.replace(path)


def code_hash() -> str:
  """SHA-256 of the package's source files, 12 hexadecimal digits."""
  root = Path(__file__).parent
  sums = hashlib.sha256()
  for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".cc", ".h")):
    sums.update(str(path.relative_to(root)).encode() + path.read_bytes())
  return sums.hexdigest()[:12]


def _starts(workdir: Path, run: dict[str, Any]) -> list[dict[str, Any]]:
  """The starts of a run, each with its end: when it "ended", or was "seen" for the last time.

  A start that was killed noted no end. It is seen until its last row of metrics: metrics.jsonl is
  so much younger than config.json, which each start writes first. What is compared are two files
  of one folder, so neither another host's clock nor a copy with new times makes it longer.
  """
  starts = [dict(one) for one in run.get("starts", [])]
  if starts and run.get("ended"):
    starts[-1]["ended"] = run["ended"]
  elif starts:
    try:
      first, last = ((workdir / n).stat().st_mtime for n in ("config.json", "metrics.jsonl"))
    except FileNotFoundError:
      first = last = 0.0
    seen = datetime.fromisoformat(starts[-1]["time"]) + timedelta(seconds=max(0.0, last - first))
    starts[-1]["seen"] = seen.isoformat(timespec="seconds")
  return starts


def _lasted(start: dict[str, Any]) -> float:
  """Seconds of a start; 0 where nothing says when it ended. A time without a zone is local."""
  begun = datetime.fromisoformat(start["time"])
  end = datetime.fromisoformat(start.get("ended") or start.get("seen") or start["time"])
  return end.timestamp() - begun.timestamp()


def _forget_peak() -> bool:
  """Lets Linux count the peak of resident memory from now on; False where it won't.

  Some sandboxes take the request and keep the peak. Counters of threads lag, by less than 16 MiB.
  """
  with contextlib.suppress(OSError):
    Path("/proc/self/clear_refs").write_text("5")
  held = _resident()
  return len(held) == 2 and held["VmHWM"] - held["VmRSS"] < 1 << 24


def _resident() -> dict[str, int]:
  """Bytes resident now, VmRSS, and at the peak, VmHWM; empty where there is no /proc."""
  status = Path("/proc/self/status")
  fields = [line.split() for line in status.read_text().splitlines()] if status.exists() else []
  return {f[0].rstrip(":"): 1024 * int(f[1]) for f in fields if f[0] in ("VmRSS:", "VmHWM:")}


def now() -> str:
  """The time as run.json has it: UTC, whole seconds."""
  return datetime.now(UTC).isoformat(timespec="seconds")
