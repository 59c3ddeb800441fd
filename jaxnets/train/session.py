"""A run in its folder: gone on with or refused, and its end noted, however it ends.

Nothing here imports JAX before the run begins.
"""

import contextvars
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import runs
from jaxnets.config import Config, differences, to_json
from jaxnets.errors import ConfigError, exit_code_of

log = logging.getLogger("jaxnets")

# The state of a run in run.json, by its exit code; all others are "failed".
BY_EXIT_CODE = {0: "done", 4: "diverged", 75: "interrupted", 130: "interrupted"}


class Member(NamedTuple):
  """A run that takes its steps beside others."""

  config: Config
  workdir: Path  # locked by the caller
  context: contextvars.Context  # in which it goes on, and speaks


def finished(workdir: Path, config: Config, resume: str = "auto") -> dict[str, Any] | None:
  """The summary when the run is done, else None.

  Args:
    workdir: the run folder, locked by the caller.
    config: that the run shall have.
    resume: "auto", "never": the folder must be new, or "must": it must hold the run.

  Raises:
    ConfigError: the folder holds another run, or `resume` says otherwise.
  """
  before = runs.read_json(workdir / "config.json")
  if before is None and resume == "must":
    raise ConfigError(f"--resume=must, but {workdir} holds no run")
  if before is None:
    return None
  if resume == "never":
    raise ConfigError(f"--resume=never, but {workdir} holds a run\nUse a new --workdir")
  changed = differences(before, to_json(config))
  if changed:
    listed = [f"{k} {old!r} -> {new!r}" for k, (old, new) in list(changed.items())[:5]]
    more = ", ..." if len(changed) > 5 else ""
    raise ConfigError(
      f"{workdir} holds a run with another config ({len(changed)} differences: "
      f"{', '.join(listed)}{more})\nUse a new --workdir, or the config of {workdir}/config.json"
    )
  summary = runs.read_json(workdir / "summary.json")
  if summary and (runs.read_json(workdir / "run.json") or {}).get("state") != "done":
    runs.end(workdir, "done", 0)  # killed after its last word
  return summary


def state_after(error: BaseException) -> str:
  """The state of a run that an error ended."""
  return BY_EXIT_CODE.get(exit_code_of(error), "failed")


def fit_and_note(
  config: Config,
  workdir: Path,
  data_dir: str | None = None,
  track: Sequence[str] = (),
  *,
  begun_or_not: bool = False,
) -> dict[str, Any]:
  """`loop.fit`, with its end in run.json: state, exit code, error; the traceback is in log.txt.

  An error before the run has begun leaves no run.json, unless `begun_or_not`.
  """
  from jaxnets.train.loop import fit

  try:
    summary = fit(config, workdir, data_dir, track)
  except (Exception, KeyboardInterrupt) as error:
    log.debug("traceback", exc_info=error)
    if begun_or_not or (workdir / "run.json").exists():
      _end_badly(workdir, error)
    raise
  runs.end(workdir, "done", 0)
  return summary


def fit_together(
  members: Sequence[Member],
  form: str,
  count: int,
  data_dir: str | None = None,
  track: Sequence[str] = (),
) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
  """`fit_and_note` of runs of one program, stepped by one that has `count` members.

  Yields:
    The number of a run that ended, and its summary or its error.

  Raises:
    Whatever the common program raises; the runs left may go on alone.
  """
  from jaxnets.train.interrupt import interruptible
  from jaxnets.train.loop import course
  from jaxnets.train.members import together

  with interruptible() as stopped:
    courses = [course(one.config, one.workdir, stopped, data_dir, track) for one in members]
    contexts = [one.context for one in members]
    for number, result in together(courses, form, count, contexts):
      workdir = members[number].workdir
      if isinstance(result, Exception):
        contexts[number].run(log.debug, "traceback", exc_info=result)
        _end_badly(workdir, result)
      else:
        runs.end(workdir, "done", 0)
      yield number, result


def _end_badly(workdir: Path, error: BaseException) -> None:
  runs.end(workdir, state_after(error), exit_code_of(error), str(error))
