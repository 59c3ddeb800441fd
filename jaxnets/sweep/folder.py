"""The sweep folder: sweep.json, and beside it a run folder for each cell. No JAX here.

sweep.json holds of each cell its hash, folder, program and config: enough to run any cell alone, on
any host that sees the folder. Spec, command and base config are those of the last command.
"""

import contextlib
import fcntl
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import config as configuration
from jaxnets.config import Config
from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.runs import Run, read_json, read_run, write_json
from jaxnets.sweep.cells import Cell

SCHEMA = 1
NAME = "sweep.json"


class Sweep(NamedTuple):
  """What sweep.json says."""

  workdir: Path
  spec: str  # FILE.py:ARG
  question: str
  command: list[str]
  base: dict[str, Any]  # config, as JSON
  cells: list[dict[str, Any]]  # hash, folder, program, overrides, config as JSON


def write(workdir: Path, spec: str, question: str, base: Config, cells: Sequence[Cell]) -> int:
  """Writes sweep.json; cells that are in it already stay. Returns how many of those are not ours.

  A cell that an earlier command named otherwise keeps its folder: finished cells never run twice.
  """
  with locked(workdir):
    kept = {row["hash"]: row for row in read(workdir).cells} if is_sweep(workdir) else {}
    ours = {
      cell.hash: {
        "hash": cell.hash,
        "folder": kept[cell.hash]["folder"] if cell.hash in kept else cell.folder,
        "program": cell.program,
        "overrides": cell.overrides,
        "config": configuration.to_json(cell.config),
      }
      for cell in cells
    }
    others = {digest: row for digest, row in kept.items() if digest not in ours}
    write_json(
      workdir / NAME,
      {
        "schema": SCHEMA,
        "spec": spec,
        "question": question,
        "command": sys.argv,
        "base": configuration.to_json(base),
        "cells": [*others.values(), *ours.values()],
      },
    )
  return len(others)


def read(workdir: Path) -> Sweep:
  """The sweep in a folder; ConfigError when there is none."""
  values = read_json(workdir / NAME)
  if values is None:
    raise ConfigError(f"{workdir} holds no sweep (no {NAME})\nMake one: python launch.py sweep ...")
  schema = values.get("schema") if isinstance(values, dict) else None
  if schema != SCHEMA:
    raise ConfigError(
      f"{workdir}/{NAME} has schema {schema}; this version reads {SCHEMA}\n"
      "Use another --workdir, or the version that made it"
    )
  keys = ("spec", "question", "command", "base", "cells")
  return Sweep(workdir, *(values[key] for key in keys))


def find(sweep: Sweep, digest: str) -> dict[str, Any]:
  """The row of the one cell whose hash begins with `digest`; ConfigError otherwise."""
  found = [row for row in sweep.cells if row["hash"].startswith(digest)]
  if len(found) == 1:
    return found[0]
  hashes = [row["hash"] for row in sweep.cells]
  if found:
    raise ConfigError(f'"{digest}" begins the hashes of {len(found)} cells\nGive more digits')
  raise ConfigError(
    f'{sweep.workdir} has no cell "{digest}".{did_you_mean(digest, hashes)}\n'
    f"All cells: python launch.py status {sweep.workdir}"
  )


def runs_of(sweep: Sweep) -> list[tuple[dict[str, Any], Run]]:
  """Every cell's row with what its run folder says."""
  return [(row, read_run(sweep.workdir / row["folder"])) for row in sweep.cells]


def is_sweep(workdir: Path) -> bool:
  """Whether the folder holds a sweep."""
  return (workdir / NAME).exists()


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
  """Makes the folder, and waits for other commands that write what all its cells share.

  Raises:
    ConfigError: it cannot be written.
  """
  with contextlib.ExitStack() as held:
    try:
      workdir.mkdir(parents=True, exist_ok=True)
      file = held.enter_context(open(workdir / ".sweep-lock", "w"))
    except OSError as error:
      raise ConfigError(
        f"cannot write to --workdir={workdir}: {error.strerror}\nUse another --workdir"
      ) from error
    fcntl.flock(file, fcntl.LOCK_EX)
    yield
