"""A worker: cells of a sweep, one after the other or several in one program, in one process."""

import contextlib
import contextvars
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import runs
from jaxnets.config import Config, from_json
from jaxnets.errors import ConfigError, DivergedError, JaxnetsError
from jaxnets.sweep import folder
from jaxnets.sweep.plan import Plan
from jaxnets.train.session import Member, finished, fit_and_note, fit_together, state_after

log = logging.getLogger("jaxnets")

Row = dict[str, Any]  # a cell in sweep.json
Facts = dict[str, Any]


class Manner(NamedTuple):
  """How the cells of a process are run."""

  data_dir: str | None  # where prepared datasets are
  # Sends the log to a file.
  said_to: Callable[[Path], contextlib.AbstractContextManager[None]]
  track: Sequence[str] = ()  # trackers that are told too
  again: bool = False  # whether a cell that failed or diverged before `since` is run once more
  since: str = "9999"  # as times are in run.json


class ElsewhereError(Exception):
  """Another process is running the cell."""


class ApartError(Exception):
  """The program of several cells failed as a whole; each may go on alone."""


def run_cell(sweep: folder.Sweep, row: Row, manner: Manner) -> dict[str, Any]:
  """Trains one cell in its run folder, from where it was left; the summary.

  Raises:
    ElsewhereError: the folder is held by another process.
    Whatever the run raises; its folder says so too.
  """
  with contextlib.ExitStack() as held:
    config, workdir, summary = _hold(sweep, row, manner, held)
    if summary is None:
      held.enter_context(manner.said_to(workdir / "log.txt"))
      summary = fit_and_note(config, workdir, manner.data_dir, manner.track, begun_or_not=True)
  return summary


def run_cells(
  sweep: folder.Sweep, rows: Sequence[Row], plan: Plan, manner: Manner
) -> Iterator[tuple[Row, dict[str, Any] | Exception]]:
  """Trains cells of one program as its members, each in its run folder; how each ended, as it ends.

  What a cell would raise alone is yielded in place of its summary; an `ApartError` where the
  program itself failed.
  """
  with contextlib.ExitStack() as every:
    waiting: dict[int, tuple[Row, contextlib.ExitStack]] = {}
    members = []
    for row in rows:
      held = every.enter_context(contextlib.ExitStack())
      try:
        config, workdir, summary = _hold(sweep, row, manner, held)
      except Exception as error:
        yield row, error
        continue
      if summary is not None:
        yield row, summary
        continue
      own = contextvars.copy_context()
      own.run(held.enter_context, manner.said_to(workdir / "log.txt"))
      waiting[len(members)] = row, held
      members.append(Member(config, workdir, own))
    try:
      for number, result in fit_together(
        members, plan.form, plan.count, manner.data_dir, manner.track
      ):
        row, held = waiting.pop(number)
        held.close()
        yield row, result
    except Exception as error:
      log.debug("traceback", exc_info=error)
      for row, held in waiting.values():
        held.close()
        yield row, ApartError(str(error) or type(error).__name__)


def _hold(
  sweep: folder.Sweep, row: Row, manner: Manner, held: contextlib.ExitStack
) -> tuple[Config, Path, dict[str, Any] | None]:
  """The cell's config and run folder, locked, and its summary if it is done.

  Raises:
    ElsewhereError: the folder is held by another process.
    DivergedError, JaxnetsError: it ended so before, and is not to be run again.
  """
  config, workdir = from_json(row["config"]), sweep.workdir / row["folder"]
  try:
    held.enter_context(runs.locked(workdir))
  except ConfigError:
    if runs.is_locked(workdir):
      raise ElsewhereError from None
    raise
  summary = finished(workdir, config)
  before = runs.read_run(workdir)
  again = manner.again and before.record.get("ended", "") < manner.since
  if before.state in ("failed", "diverged") and not again:  # in another command meanwhile
    raise DivergedError(before.error) if before.state == "diverged" else JaxnetsError(before.error)
  return config, workdir, summary


def serve(
  sweep: folder.Sweep,
  run: Callable[[list[Row], Plan | None], Iterator[tuple[Row, Facts | Exception]]],
) -> None:
  """Runs the cells that are asked for on standard input; says on standard output how each ended.

  A line of JSON asks for some cells, one alone or several as members of one program; another one
  answers for each. The end of the input is that of whoever asks: what is under way stops,
  resumably.

  Args:
    sweep: that the cells are of.
    run: yields what is to be told of a cell, or its error.
  """
  answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
  for line in _lines():
    asked = json.loads(line)
    rows = [folder.find(sweep, digest) for digest in asked["cells"]]
    plan = asked["plan"] and Plan(**asked["plan"])
    for row, result in run(rows, plan):
      answers.write(json.dumps({"hash": row["hash"], **_outcome(result)}) + "\n")
      answers.flush()


def _outcome(result: Facts | Exception) -> dict[str, Any]:
  if isinstance(result, ElsewhereError):
    return {"state": "elsewhere", "error": ""}
  if isinstance(result, ApartError):
    return {"state": "apart", "error": str(result)}
  if isinstance(result, Exception):
    return {"state": state_after(result), "error": str(result) or type(result).__name__}
  return {"state": "done", "error": "", "facts": result}


def _lines() -> Iterator[str]:
  lines: queue.Queue[str | None] = queue.Queue()

  def listen():
    for line in sys.stdin:
      lines.put(line.strip())
    lines.put(None)
    os.kill(os.getpid(), signal.SIGTERM)

  # Between two cells. An exception would be lost in one of JAX's callbacks.
  signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
  threading.Thread(target=listen, daemon=True).start()
  while (line := lines.get()) is not None:
    yield line
