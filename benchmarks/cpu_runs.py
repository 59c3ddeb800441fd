"""Whole runs by the command line, from process start to the test score, with and without kernels.

The quickstart, and one epoch of CIFAR-10 by the recipe of ResNet-20. The two forms take turns; each
run has a new folder and, so that compiling counts, no compilation cache.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cpu_speed import OURS, machine
from benchmarks.records import ROOT, TIME_IS_UP, Deadline, say, show, spread, write
from jaxnets.errors import DataError, JaxnetsError


class Run(NamedTuple):
  """Flags of launch.py."""

  flags: tuple[str, ...]
  small: tuple[str, ...]
  prepared: bool = False  # whether it needs --data_dir


RUNS = {
  "quickstart": Run(
    ("--config=experiments/quickstart.py",), ("--config=experiments/quickstart.py:runlocal",)
  ),
  "cifar10_epoch": Run(
    ("--config=experiments/cifar10_resnet.py:resnet20", "--config.train.epochs=1"),
    ("--config=experiments/cifar10_resnet.py:resnet20,runlocal",),
    prepared=True,
  ),
}


def measure(
  out: Path, names: tuple[str, ...], data_dir: str, reps: int, small: bool, until: Deadline
) -> int:
  """Times the runs called `names`; a record each in out/runs.

  Returns 0, or 75 when time was up before all were begun.
  """
  rows, skipped = [], []
  for name in names:
    if until.left() <= 0:
      skipped.append(name)
      continue
    record = compare(name, data_dir, reps, small)
    write(out, "runs", name, record)
    rows += [
      (name, form, *(f"{record[form]['wall_seconds'][k]:.1f}" for k in ("median", "min", "max")),
       f"{record[form]['cpu_seconds']['median']:.1f}", f"{record[form]['peak_bytes'] / 1e6:,.0f}",
       f"{record[form]['images_per_second']:,.0f}", record[form]["kernels"])
      for form in OURS
    ]  # fmt: skip
  header = ("run", "form", "wall s", "min", "max", "CPU s", "peak MB", "images/s", "kernels")
  show(header, rows)
  if skipped:
    say(f"not run, time is up: {', '.join(skipped)}\nGo on with --only={','.join(skipped)}")
  return TIME_IS_UP if skipped else 0


def compare(name: str, data_dir: str, reps: int, small: bool) -> dict[str, Any]:
  """The record of a run in both forms."""
  run = RUNS[name]
  flags = run.small if small else run.flags
  record: dict[str, Any] = {"run": name, "small": small, "reps": reps, "machine": machine()}
  record["run_command"] = " ".join(("python launch.py", *flags))
  if run.prepared and not small and data_dir:
    flags = (*flags, f"--data_dir={Path(data_dir).resolve()}")
  done: dict[str, list[dict[str, Any]]] = {form: [] for form in OURS}
  for rep in range(reps):
    for form in OURS:
      done[form].append(launch(flags, form))
      say(f"{name}, {form}, {rep + 1} of {reps}: {done[form][-1]['wall_seconds']:.1f} s")
  for form, results in done.items():
    record[form] = {
      "wall_seconds": spread([r["wall_seconds"] for r in results]),
      "cpu_seconds": spread([r["cpu_seconds"] for r in results]),
      "images_per_second": statistics.median(r["images_per_second"] for r in results),
      "peak_bytes": max(r["peak_bytes"] for r in results),
      "step": results[0]["step"],
      "test_top1": [r["test_top1"] for r in results],
      "kernels": kernels(form),
    }
  both = zip(done["ours"], done["plain"], strict=True)
  record["ours"]["ratio"] = spread([b["wall_seconds"] / a["wall_seconds"] for a, b in both])
  return record


def launch(flags: tuple[str, ...], form: str) -> dict[str, Any]:
  """One run in a folder that goes with it.

  Raises:
    DataError: the run wants a prepared dataset that is not there.
    JaxnetsError: it failed otherwise.
  """
  with tempfile.TemporaryDirectory() as folder:
    workdir, log = Path(folder) / "run", Path(folder) / "log"
    command = [sys.executable, "launch.py", *flags, f"--workdir={workdir}"]
    start = time.perf_counter()
    with open(log, "w") as said:
      process = subprocess.Popen(
        command, cwd=ROOT, env=environment(form), stdout=said, stderr=said, text=True
      )
      _, status, usage = os.wait4(process.pid, 0)  # what this child alone has used
    seconds = time.perf_counter() - start
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code:
      last = " ".join(log.read_text().strip().splitlines()[-2:])
      raise (DataError if code == DataError.exit_code else JaxnetsError)(
        f"{' '.join(command[1:-1])} has ended with code {code}: {last}"
      )
    summary = json.loads((workdir / "summary.json").read_text())
    rows = [json.loads(row) for row in (workdir / "metrics.jsonl").read_text().splitlines()]
  rates = [row["images_per_second"] for row in rows if row.get("images_per_second")]
  return {
    "wall_seconds": seconds,
    "cpu_seconds": usage.ru_utime + usage.ru_stime,
    "peak_bytes": 1024 * usage.ru_maxrss,
    "images_per_second": statistics.median(rates),  # of training, between rows
    "step": summary["step"],
    "test_top1": summary["metrics"]["test_top1"],
  }


def environment(form: str) -> dict[str, str]:
  """For a process of ours with or without kernels, on the CPU and without a cache."""
  settings = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "false"}
  return os.environ | settings | {"JAXNETS_KERNELS": OURS[form]}


def kernels(form: str) -> str:
  """What computes in that form, in the words of the package."""
  words = "from jaxnets import kernels; print(getattr(kernels, 'describe', lambda: 'plain')())"
  found = subprocess.run(
    [sys.executable, "-c", words],
    cwd=ROOT,
    env=environment(form),
    capture_output=True,
    text=True,
    check=False,
  )
  if found.returncode:
    raise JaxnetsError(f"jaxnets.kernels does not load: {found.stderr.strip().splitlines()[-1]}")
  return found.stdout.strip()
