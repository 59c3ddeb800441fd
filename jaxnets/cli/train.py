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
from jaxnets.errors import ConfigError, did_you_mean

log = logging.getLogger("jaxnets")


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_enum(
    "resume", "auto", ["auto", "never", "must"],
    "go on with what the run folder holds: if there is something, never, or only then",
    flag_values=values,
  )  # fmt: skip
  define_track(values)


def define_track(values: flags.FlagValues) -> None:
  """--track=tb,wandb."""
  flags.DEFINE_list(
    "track", [], "trackers to tell as well: tb (TensorBoard), wandb", flag_values=values
  )


def trackers(values: flags.FlagValues) -> list[str]:
  """The trackers of --track; ConfigError for one that there is not."""
  from jaxnets.train.track import TRACKERS

  for name in values.track:
    if name not in TRACKERS:
      raise ConfigError(
        f"--track={name} must be of {', '.join(TRACKERS)}.{did_you_mean(name, TRACKERS)}"
      )
  return values.track


def run(values: flags.FlagValues, arguments: list[str], chosen: Chosen | None) -> int:
  """Trains; prints the result on standard output."""
  if arguments:
    raise ConfigError(f'train takes flags only, not "{arguments[0]}"; values go as --flag=value')
  spec, config, _ = required(chosen)
  trackers(values)
  if not values.workdir:
    raise ConfigError(
      "--workdir is missing: where shall the run be kept?\nFor example --workdir=runs/first"
    )
  workdir = Path(values.workdir).absolute()
  if (workdir / "sweep.json").exists():
    raise ConfigError(f"{workdir} holds a sweep\nUse another --workdir for a single run")
  from jaxnets.train.session import finished

  with runs.locked(workdir):
    summary = finished(workdir, config, values.resume)
    if summary is None:
      with said_to(workdir / "log.txt"):
        summary = _train(values, config, workdir)
  show_result(summary, workdir, spec, values.format)
  return 0


def _train(values: flags.FlagValues, config: Any, workdir: Path) -> dict:
  prepare_process(values, workdir, config)
  from jaxnets.train.session import fit_and_note

  return fit_and_note(config, workdir, values.data_dir, trackers(values))


def prepare_process(values: flags.FlagValues, workdir: Path, config: Any) -> None:
  """Imports JAX as the flags say, and says what it found."""
  if values.platform not in ("gpu", "tpu"):
    memory.keep_freed()
  import jax

  from jaxnets.cli.devices import find_devices
  from jaxnets.config import digest

  devices = find_devices(values.platform)
  log.info(
    "jaxnets %s | jax %s | %s | workdir %s | config %s",
    __version__, jax.__version__, devices, workdir, digest(config),
  )  # fmt: skip


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
