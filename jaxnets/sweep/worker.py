"""A worker: cells of a sweep, one after the other, in one process."""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxnets import runs
from jaxnets.config import from_json
from jaxnets.errors import ConfigError, DivergedError, JaxnetsError
from jaxnets.sweep import folder
from jaxnets.train.session import finished, fit_and_note, state_after


class ElsewhereError(Exception):
  """Another process is running the cell."""


def run_cell(
  sweep: folder.Sweep,
  row: dict[str, Any],
  data_dir: str | None,
  said_to: Callable[[Path], contextlib.AbstractContextManager[None]],
  track: Sequence[str] = (),
  again: bool = False,
) -> dict[str, Any]:
  """Trains one cell in its run folder, from where it was left; the summary.

  Args:
    sweep: that the cell is of.
    row: the cell.
    data_dir: where prepared datasets are.
    said_to: sends the log to a file.
    track: trackers that are told too.
    again: whether a cell that failed or diverged before is run once more.

  Raises:
    ElsewhereError: the folder is held by another process.
    Whatever the run raises; its folder says so too.
  """
  config, workdir = from_json(row["config"]), sweep.workdir / row["folder"]
  with contextlib.ExitStack() as held:
    try:
      held.enter_context(runs.locked(workdir))
    except ConfigError:
      if runs.is_locked(workdir):
        raise ElsewhereError from None
      raise
    summary = finished(workdir, config)
    before = runs.read_run(workdir)
    if before.state in ("failed", "diverged") and not again:  # in another command meanwhile
      raise (
        DivergedError(before.error) if before.state == "diverged" else JaxnetsError(before.error)
      )
    if summary is None:
      held.enter_context(said_to(workdir / "log.txt"))
      summary = fit_and_note(config, workdir, data_dir, track, begun_or_not=True)
  return summary


def serve(sweep: folder.Sweep, run: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
  """Runs the cells whose hashes come on standard input; says how each ended on standard output.

  The end of the input is that of whoever gives the cells: what is under way stops, resumably.
  """
  answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
  for digest in _hashes():
    answers.write(json.dumps(_outcome(run, folder.find(sweep, digest))) + "\n")
    answers.flush()


def _outcome(
  run: Callable[[dict[str, Any]], dict[str, Any]], row: dict[str, Any]
) -> dict[str, Any]:
  try:
    facts = run(row)
  except ElsewhereError:
    return {"state": "elsewhere", "error": ""}
  except Exception as error:
    return {"state": state_after(error), "error": str(error) or type(error).__name__}
  return {"state": "done", "error": "", "facts": facts}


def _hashes() -> Iterator[str]:
  lines: queue.Queue[str | None] = queue.Queue()

  def listen():
    for line in sys.stdin:
      lines.put(line.strip())
    lines.put(None)
    os.kill(os.getpid(), signal.SIGTERM)

  signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # between two cells
  threading.Thread(target=listen, daemon=True).start()
  while (line := lines.get()) is not None:
    yield line
