"""What claims need besides training nets: trials, and pipelines of hand-made features."""

import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import sweep
from jaxnets.cli.logs import said_to
from jaxnets.errors import ConfigError, StoppedError
from jaxnets.train.interrupt import stop

log = logging.getLogger("jaxnets")

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hand_made(values: flags.FlagValues, cells: Sequence[Any], ends: float) -> int:
  """Runs what is missing of the pipelines of hand-made features; FAILED if some do not end well.

  Begins none after `ends`, seconds of the monotonic clock.
  """
  from jaxnets import runs
  from jaxnets.claims import ledger
  from jaxnets.classical import session
  from jaxnets.sweep import folder

  if not cells:
    return 0
  session.check(cells, values.data_dir)
  workdir = Path(values.workdir).absolute() / ledger.PIPELINES
  failed = 0
  with said_to():
    session.declare(workdir, cells)
    listed = folder.read(workdir)
    ran = session.run_cells(
      listed, [cell.hash for cell in cells], values.data_dir, said_to,
      again=values.retry_failed,
    )  # fmt: skip
    for number, cell in enumerate(cells, start=1):
      if runs.read_run(workdir / folder.find(listed, cell.hash)["folder"]).state != "done":
        _check_time(ends, f"pipeline {number} of {len(cells)}")
      row, result = next(ran)
      wrong = isinstance(result, Exception)
      failed += wrong
      told = f"failed: {str(result).partition(chr(10))[0]}" if wrong else "done"
      log.info("[%d/%d] %s  %s", number, len(cells), row["folder"], told)
  return sweep.FAILED if failed else 0


def in_a_process(values: flags.FlagValues, names: Sequence[str], ends: float) -> int:
  """Measures trials in a process that lets go of the devices when it ends; its exit code.

  Signals are passed on to it, in a group of its own, so that it alone says that it stopped.

  Raises:
    StoppedError: a signal killed it, or came when it had ended.
  """
  words = ["claims", "measure", *names, f"--size={values.size}", f"--workdir={values.workdir}"]
  words += [f"--{name}={values[name].value}" for name in ("seeds", "platform", "kernels", "threads")
            if values[name].value is not None]  # fmt: skip
  if ends < float("inf"):
    words.append(f"--max_hours={max(0.0, ends - time.monotonic()) / 3600}")
  came: list[int] = []
  heard = [s for s in PASSED_ON if signal.getsignal(s) != signal.SIG_IGN]  # nohup ignores some
  before = {s: signal.signal(s, lambda number, frame: came.append(number)) for s in heard}
  try:
    child = subprocess.Popen([sys.executable, "-m", "jaxnets", *words], process_group=0)
    while child.poll() is None:  # wait() may miss a signal that comes right before it sleeps
      while came:
        child.send_signal(came.pop(0))
      time.sleep(0.05)
    code = child.returncode
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
  if came:
    raise stop(came[0], "when all was measured")
  if code < 0:
    number = signal.Signals(-code)
    codes = {signal.SIGINT: 130, signal.SIGTERM: 75, signal.SIGHUP: 75}
    raise StoppedError(
      f"{number.name} ended what was measured\nRun the same command to go on",
      codes.get(number, 128 + number),  # as a shell tells it
    )
  return code


def measure(values: flags.FlagValues, names: Sequence[str]) -> int:
  """Measures trials, seed by seed, that were not measured before in this folder."""
  from jaxnets.claims import ledger
  from jaxnets.claims.study import Trial, find
  from jaxnets.claims.trained import CLAIMS
  from jaxnets.train import notes

  sweep.check_workdir(values)
  workdir = Path(values.workdir)
  where = ", ".join((socket.gethostname(), *notes.machine().values()))
  hours = values.max_hours
  ends = time.monotonic() + (float("inf") if hours is None else 3600 * hours)
  with said_to():
    for name in names:
      claim = find(CLAIMS, name)
      trial = claim.study(values.size)
      if not isinstance(trial, Trial):
        raise ConfigError(f"{claim.id} trains nets\nUse claims run {claim.id}")
      seeds = range(trial.seeds) if values.seeds is None else sweep.seeds_of(values.seeds)
      on = where if trial.timed else ""
      for seed in ledger.plan_trial(workdir, values.size, claim.id, trial, seeds, on):
        _check_time(ends, f"{claim.id}, seed {seed}")
        log.info("%s, seed %d: measuring ...", claim.id, seed)
        began = time.monotonic()
        numbers = trial.measure(seed)
        ledger.write_trial(workdir, values.size, claim.id, trial, seed, numbers)
        log.info("%s, seed %d: measured in %.1f s", claim.id, seed, time.monotonic() - began)
  return 0


def _check_time(ends: float, what: str) -> None:
  """Stops before something that would begin after `ends`."""
  if time.monotonic() >= ends:
    raise StoppedError(
      f"stopped: --max_hours is over before {what}\nRun the same command to go on", 75
    )
