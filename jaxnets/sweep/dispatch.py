"""Cells on this machine: worker processes that are given one cell after the other. No JAX here.

A worker is the command `sweep --worker` on the sweep's folder; a line of JSON on its standard input
asks for a cell, or for several as members of one program, and it answers with one for each. Whoever
has another way to make cells run, a cluster's scheduler, writes an `Executor` in place of `local`.
"""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import runs
from jaxnets.sweep.plan import Plan

log = logging.getLogger("jaxnets")

Row = dict[str, Any]  # a cell in sweep.json
PAUSE = 1.0  # seconds between two looks at cells that another command runs


class Outcome(NamedTuple):
  """How a cell ended here."""

  row: Row
  state: str  # done, diverged, failed, interrupted; "elsewhere": another command is running it
  error: str
  seconds: float
  facts: dict[str, Any] | None = None  # that the worker tells of it


class Settings(NamedTuple):
  """How cells are run."""

  workdir: Path
  environments: Sequence[dict[str, str]]  # of each worker: its device, or its share of the cores
  flags: Sequence[str] = ()  # that each worker takes: --data_dir, --platform, --kernels
  seconds: float = float("inf")  # after these none is begun, and those under way stop resumably
  stopped: Callable[[], bool] = lambda: False  # whether the user wants no more
  plans: Mapping[str, Plan] = {}  # of the programs that are run with several members


# From cells, in the order in which they should run, to their outcomes as they come.
Executor = Callable[[Sequence[Row], Settings], Iterator[Outcome]]


def by_program(rows: Sequence[Row]) -> list[Row]:
  """The cells of one program together; programs in the order of their first cells."""
  first = {}
  for row in rows:
    first.setdefault(row["program"], len(first))
  return sorted(rows, key=lambda row: first[row["program"]])


def run(rows: Sequence[Row], settings: Settings, executor: Executor) -> Iterator[Outcome]:
  """Runs cells, and waits for those that another command on the same folder is running.

  What the other leaves unfinished is run here.
  """
  begun = time.monotonic()
  while rows:
    elsewhere = []
    left = settings._replace(seconds=settings.seconds - (time.monotonic() - begun))
    for outcome in executor(rows, left):
      if outcome.state == "elsewhere":
        elsewhere.append(outcome.row)
      else:
        yield outcome
    rows = []
    while elsewhere and not rows:
      if settings.stopped() or time.monotonic() - begun > settings.seconds:
        yield from (Outcome(row, "interrupted", "", 0.0) for row in elsewhere)
        return
      time.sleep(PAUSE)
      for row in list(elsewhere):
        place = settings.workdir / row["folder"]
        if runs.is_locked(place):
          continue
        found = runs.read_run(place)
        if found.state in ("done", "diverged", "failed"):
          elsewhere.remove(row)
          yield Outcome(row, found.state, found.error, found.seconds or 0.0)
        else:
          elsewhere.remove(row)
          rows = [*rows, row]
    if rows and elsewhere:  # those still elsewhere come back as such
      rows = [*rows, *elsewhere]


def local(rows: Sequence[Row], settings: Settings) -> Iterator[Outcome]:
  """Runs cells in worker processes, each with the programs it has compiled already.

  A worker that dies takes its cell with it and no other: that one failed, and a new worker begins.
  Cells whose common program or worker fails go on alone.
  """
  waiting, begun = list(by_program(rows)), time.monotonic()
  answers: queue.Queue[tuple[Worker, str | None]] = queue.Queue()
  workers = [
    Worker(settings, environment, answers) for environment in settings.environments[: len(rows)]
  ]
  busy: dict[Worker, Task] = {}
  apart: set[str] = set()  # hashes of cells that must run alone
  halted = False
  try:
    while waiting or busy:
      if not halted and (settings.stopped() or time.monotonic() - begun > settings.seconds):
        halted = True
        waiting.clear()
        for worker in busy:
          worker.stop()
      for worker in workers:
        if waiting and worker not in busy:
          programs, others = [r["program"] for r in waiting], [w.program for w in busy]
          index = choose(programs, worker.program, others)
          busy[worker] = task = take(waiting, index, settings, apart)
          worker.give(task)
      try:
        worker, line = answers.get(timeout=0.2)
      except queue.Empty:
        continue
      if line is None:
        workers[workers.index(worker)] = Worker(settings, worker.environment, answers)
      if worker not in busy:
        continue
      task = busy[worker]
      seconds = time.monotonic() - task.since
      if line is None:
        del busy[worker]
        if task.plan is None or halted:
          outcomes = [_died(worker, r, settings.workdir, seconds, halted) for r in task.rows]
          worker.end()
          yield from outcomes
          continue
        worker.end()
        _separate(task.rows, "their process died", waiting, apart)
        continue
      said = json.loads(line)
      (row,) = (row for row in task.rows if row["hash"] == said["hash"])
      task.rows.remove(row)
      if not task.rows:
        del busy[worker]
      state = "interrupted" if said["state"] == "apart" and halted else said["state"]
      if state == "apart":
        _separate([row], said["error"], waiting, apart)
      elif state == "interrupted" and not halted:  # by somebody else: it is not over yet
        waiting.append(row)
      else:
        yield Outcome(row, state, said["error"], seconds, said.get("facts"))
  finally:
    for worker in workers:
      worker.end()


class Task(NamedTuple):
  """What a worker was given."""

  rows: list[Row]  # that have not ended yet
  plan: Plan | None  # None for one cell alone
  since: float


def take(waiting: list[Row], index: int, settings: Settings, apart: set[str]) -> Task:
  """Takes the cell at `index` from those that wait, with others that shall run beside it.

  A cell goes on as it began, and so to the same bits: alone, or as one of so many members. One that
  is left over begins alone.
  """
  row = waiting.pop(index)
  plan = settings.plans.get(row["program"])
  if plan is None or not _may_join(row, plan, settings, apart):
    return Task([row], None, time.monotonic())
  rows = [row]
  for other in list(waiting):
    if len(rows) == plan.count:
      break
    if other["program"] == row["program"] and _may_join(other, plan, settings, apart):
      waiting.remove(other)
      rows.append(other)
  if len(rows) == 1 and not _record(row, settings).get("members"):
    plan = None
  return Task(rows, plan, time.monotonic())


def _may_join(row: Row, plan: Plan, settings: Settings, apart: set[str]) -> bool:
  """Whether a cell can be a member: it has not begun, or it began as one of the same program."""
  record = _record(row, settings)
  began = "starts" in record
  return row["hash"] not in apart and (not began or record.get("members") == plan._asdict())


def _record(row: Row, settings: Settings) -> dict[str, Any]:
  return runs.read_json(settings.workdir / row["folder"] / "run.json") or {}


def _separate(rows: Sequence[Row], why: str, waiting: list[Row], apart: set[str]) -> None:
  """Lets cells of a common program go on alone."""
  names = ", ".join(row["folder"] for row in rows)
  log.warning("going on alone: %s (%s)", names, why.partition("\n")[0])
  waiting += rows
  apart |= {row["hash"] for row in rows}


class Worker:
  """A worker process, started with its first cell."""

  def __init__(self, settings: Settings, environment: dict[str, str], answers: queue.Queue):
    self.settings, self.environment, self.answers = settings, environment, answers
    self.process: subprocess.Popen | None = None
    self.program = ""  # that it ran last
    self.said: deque[str] = deque(maxlen=1)  # the last line that it wrote on standard error
    self.hearing = threading.Thread(target=self._hear, daemon=True)

  def give(self, task: Task) -> None:
    """Has it run a cell, or several as members of one program."""
    if self.process is None:
      self.process = subprocess.Popen(
        [sys.executable, "-m", "jaxnets", "sweep", f"--workdir={self.settings.workdir}",
         "--worker", *self.settings.flags],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Small programs too are read from the cache rather than compiled again.
        env={"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"} | os.environ | self.environment
        | {"PYTHONPATH": _path()},
        start_new_session=True,  # Ctrl-C is ours to pass on
      )  # fmt: skip
      threading.Thread(target=self._listen, daemon=True).start()
      self.hearing.start()
    assert self.process.stdin is not None
    self.program = task.rows[0]["program"]
    asked = {
      "cells": [row["hash"] for row in task.rows],
      "plan": task.plan and task.plan._asdict(),
    }
    with contextlib.suppress(BrokenPipeError):  # its end is on its way through `_listen`
      self.process.stdin.write(json.dumps(asked) + "\n")
      self.process.stdin.flush()

  def stop(self) -> None:
    """Has it stop what it runs after a checkpoint."""
    if self.process is not None:
      self.process.send_signal(signal.SIGTERM)

  def end(self) -> None:
    """Closes its input, on which it stops whatever it does, and waits for it."""
    if self.process is None:
      return
    assert self.process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
      self.process.stdin.close()
    self.process.wait()

  def last_words(self) -> str:
    """The last line that it wrote on standard error, once it has ended."""
    self.hearing.join(timeout=1.0)
    return self.said[0].strip() if self.said else ""

  def _hear(self) -> None:
    assert self.process is not None
    assert self.process.stderr is not None
    self.said.extend(line for line in self.process.stderr if line.strip())

  def _listen(self) -> None:
    assert self.process is not None
    assert self.process.stdout is not None
    for line in self.process.stdout:
      self.answers.put((self, line))
    self.process.wait()
    self.answers.put((self, None))


def choose(waiting: Sequence[str], own: str, others: Sequence[str]) -> int:
  """Which of the waiting cells a worker takes, all by their programs.

  One of its own program, else of one that no other runs, else the first.
  """
  free = (i for i, program in enumerate(waiting) if program not in others)
  return waiting.index(own) if own in waiting else next(free, 0)


def _died(worker: Worker, row: Row, workdir: Path, seconds: float, halted: bool) -> Outcome:
  """The outcome of a cell whose worker is gone without an answer."""
  assert worker.process is not None
  code = worker.process.returncode
  if halted:
    return Outcome(row, "interrupted", "", seconds)
  text = f"the process ended with exit code {code}: {worker.last_words()}"
  if code < 0:
    text = f"the process was killed by {signal.Signals(-code).name}"
    if code == -signal.SIGKILL:
      text += "\nBy the system when memory ran out? See --jobs, and cost --fits"
  note_failure(workdir / row["folder"], 128 - code if code < 0 else code, text)
  return Outcome(row, "failed", text, seconds)


def note_failure(folder: Path, code: int, text: str) -> None:
  """Notes in its folder that a run failed, unless it said itself how it ended."""
  if runs.read_run(folder).state in ("waiting", "interrupted") and not runs.is_locked(folder):
    folder.mkdir(parents=True, exist_ok=True)
    runs.end(folder, "failed", code, text)


def _path() -> str:
  """PYTHONPATH with the package that is running, wherever the command was given."""
  own = str(Path(runs.__file__).parents[1])
  return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
