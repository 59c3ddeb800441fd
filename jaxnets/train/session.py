"""A run in its folder: gone on with or refused, and its end noted, however it ends.

Nothing here imports JAX before the run begins.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxnets import runs
from jaxnets.config import Config, differences, to_json
from jaxnets.errors import ConfigError, exit_code_of

log = logging.getLogger("jaxnets")

# The state of a run in run.json, by its exit code; all others are "failed".
BY_EXIT_CODE = {0: "done", 4: "diverged", 75: "interrupted", 130: "interrupted"}


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
      runs.end(workdir, state_after(error), exit_code_of(error), str(error))
    raise
  runs.end(workdir, "done", 0)
  return summary
