"""Prepare, describe and verify datasets.

    python launch.py data prepare NAME [--from=DIR] [--data_dir=DIR]
    python launch.py data info NAME [--format=json]
    python launch.py data verify NAME

prepare turns the published files of mnist, fashion_mnist, cifar10, cifar100 or imagenet2012 into a
TensorFlow Datasets directory (TensorFlow is not needed). The files are looked for in --from and the
folders right below it, else fetched; their checksums are checked first. A new NAME with --from
prepares a folder of class folders (train/CLASS/*.jpg and val/ or test/, or CLASS/*.jpg alone).
info tells what a set holds without reading an image; verify reads and decodes all of it.
NAME may also be folder:PATH, which needs no preparation, as digits and synthetic do not.
"""

import sys
from pathlib import Path

from absl import flags

from jaxnets import data
from jaxnets.cli import table
from jaxnets.errors import ConfigError, did_you_mean

ACTIONS = ("prepare", "info", "verify")


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_string(
    "from", None, "directory of the published files, or of class folders", flag_values=values
  )


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Runs `data ACTION NAME`; results go to standard output."""
  action, *names = arguments or [""]
  if action not in ACTIONS:
    raise ConfigError(
      f'data wants one of {", ".join(ACTIONS)}, got "{action}".{did_you_mean(action, ACTIONS)}\n'
      "python launch.py data info cifar10"
    )
  if len(names) != 1:
    raise ConfigError(
      f"data {action} wants one NAME, got {len(names)}\npython launch.py data {action} cifar10"
    )
  directory, form = values["data_dir"].value, str(values["format"].value)
  if action != "prepare" and values["from"].value:
    raise ConfigError(f"--from is for data prepare only, not for data {action}")
  if action == "prepare":
    _prepare(names[0], directory, values["from"].value, form)
  elif action == "info":
    _info(names[0], directory, form)
  else:
    _verify(names[0], directory, form)
  return 0


def _prepare(name: str, directory: str | None, source: str | None, form: str) -> None:
  from jaxnets.data.prepare import prepare

  print(f"preparing {name} in {data.data_directory(directory)}", file=sys.stderr)
  path, done = prepare(name, data_dir=directory, source=source)
  result = "prepared" if done else "already there"
  if form == "text":
    print(f"{name}: {result}, {path}")
  else:
    table.show([{"name": name, "result": result, "path": str(path)}], form)


def _info(name: str, directory: str | None, form: str) -> None:
  about = data.info(name, directory)
  path = data.location(name, directory)
  facts = {
    "name": about.name,
    "images": about.counts,
    "test_split": about.test_split,
    "classes": list(about.classes),
    "image_size": about.image_size,
    "channels": about.channels,
    "in_memory": about.in_memory,
    "fingerprint": about.fingerprint,
    "bytes": _size(path),
    "path": None if path is None else str(path),
  }
  if form == "json":
    table.show([facts], form)
    return
  facts["images"] = ", ".join(f"{split} {count:,}" for split, count in about.counts.items())
  facts["classes"] = f"{len(about.classes)}: {', '.join(about.classes)}"
  table.show([{"field": field, "value": value} for field, value in facts.items()], form)


def _verify(name: str, directory: str | None, form: str) -> None:
  from jaxnets.data.verify import verify

  counts = verify(name, directory)
  rows = [{"name": name, "split": s, "images": n, "result": "whole"} for s, n in counts.items()]
  table.show(rows, form)


def _size(path: Path | None) -> int:
  """Bytes on disk of a file or a directory."""
  if path is None:
    return 0
  files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
  return sum(file.stat().st_size for file in files)
