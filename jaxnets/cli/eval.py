"""Evaluate the newest checkpoint of a run.

    python launch.py eval --workdir=runs/quickstart [--split=validation|test|train]

The validation images by default. Reading the test images is counted in the run's run.json: a net
that was chosen by them has no test result any more.
"""

import json
from pathlib import Path

from absl import flags

from jaxnets import runs
from jaxnets.cli import table
from jaxnets.cli.logs import said_to
from jaxnets.errors import ConfigError


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_enum(
    "split", "validation", ["validation", "test", "train"], "the images to evaluate on",
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints split, step, metrics and protocol."""
  if arguments:
    raise ConfigError(f'eval takes flags only, not "{arguments[0]}"; the run is --workdir=DIR')
  if not values.workdir:
    raise ConfigError("--workdir is missing: which run?\nFor example --workdir=runs/quickstart")
  workdir = Path(values.workdir).absolute()
  saved = runs.read_json(workdir / "config.json")
  if saved is None:
    raise ConfigError(f"{workdir} holds no run: it has no config.json")

  from jaxnets.cli.devices import find_devices
  from jaxnets.config import from_json

  find_devices(values.platform)
  from jaxnets.train.evaluate import evaluate_run

  data_dir = values.data_dir or (runs.read_json(workdir / "run.json") or {}).get("data_dir")
  with runs.locked(workdir), said_to():
    row = evaluate_run(from_json(saved), workdir, values.split, data_dir)
  if values.format == "json":
    print(json.dumps(row, indent=1))
  else:
    table.show([row], values.format)
  return 0
