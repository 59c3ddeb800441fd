"""Train one network.

    python launch.py --config=experiments/quickstart.py --workdir=runs/quickstart

Leaves a run folder; the same command again resumes it, or says that it is done.
"""

import json
import logging
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets import __version__, memory, runs
from jaxnets.cli.configs import Chosen, required
from jaxnets.cli.logs import said_to
from jaxnets.errors import ConfigError, JaxnetsError

log = logging.getLogger("jaxnets")

# The state of a run in run.json, by its exit code; all others are "failed".
STATES = {0: "done", 4: "diverged", 75: "interrupted", 130: "interrupted"}


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_enum(
    "resume", "auto", ["auto", "never", "must"],
    "go on with what the run folder holds: if there is something, never, or only then",
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str], chosen: Chosen | None) -> int:
  """Trains; prints the result on standard output."""
  if arguments:
    raise ConfigError(f'train takes flags only, not "{arguments[0]}"; values go as --flag=value')
  spec, config, _ = required(chosen)
  if not values.workdir:
    raise ConfigError(
      "--workdir is missing: where shall the run be kept?\nFor example --workdir=runs/first"
    )
  workdir = Path(values.workdir).absolute()
  with runs.locked(workdir):
    summary = _resumable(workdir, config, values.resume)
    if summary is None:
      with said_to(workdir / "log.txt"):
        summary = _train(values, config, workdir)
  show_result(summary, workdir, spec, values.format)
  return 0


def _resumable(workdir: Path, config: Any, resume: str) -> dict | None:
  """The summary when the run is done, else None; refuses a folder that holds another run."""
  from jaxnets.config import differences, to_json

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
  if summary and (runs.read_json(workdir / "run.json") or {}).get("state") != STATES[0]:
    runs.end(workdir, STATES[0], 0)  # killed after its last word
  return summary


def _train(values: flags.FlagValues, config: Any, workdir: Path) -> dict:
  if values.platform not in ("gpu", "tpu"):
    memory.keep_freed()
  import jax

  from jaxnets.cli.devices import find_devices
  from jaxnets.config import digest
  from jaxnets.train.loop import fit

  devices = find_devices(values.platform)
  log.info(
    "jaxnets %s | jax %s | %s | workdir %s | config %s",
    __version__, jax.__version__, devices, workdir, digest(config),
  )  # fmt: skip
  try:
    summary = fit(config, workdir, values.data_dir)
  except (Exception, KeyboardInterrupt) as error:
    log.debug("traceback", exc_info=error)  # in full in log.txt
    if (workdir / "run.json").exists():
      code = error.exit_code if isinstance(error, JaxnetsError) else 1
      code = 130 if isinstance(error, KeyboardInterrupt) else code
      runs.end(workdir, STATES.get(code, "failed"), code, str(error))
    raise
  runs.end(workdir, STATES[0], 0)
  return summary


def show_result(summary: dict, workdir: Path, spec: str, form: str) -> None:
  """Prints what came out, where it lies, and what to do next."""
  if form == "json":
    print(json.dumps(summary | {"workdir": str(workdir)}, indent=1))
    return
  metrics = summary["metrics"]
  print(
    f"done at step {summary['step']:,}: test top-1 {100 * metrics['test_top1']:.2f} % of "
    f"{metrics['test_count']:,} images ({metrics['protocol']})"
  )
  print(f"run folder: {workdir}")
  shown = workdir.relative_to(Path.cwd()) if workdir.is_relative_to(Path.cwd()) else workdir
  print("next:")
  print(f"  python launch.py eval --workdir={shown}")
  print(f"  python launch.py show --config={spec}")
  print("  python launch.py list nets 'cifar*'")
