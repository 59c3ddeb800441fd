"""A pipeline in its run folder, and the cells of a sweep folder one after the other."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxnets import data, runs
from jaxnets.classical import config as pipelines
from jaxnets.classical import features, packages, pipeline
from jaxnets.classical.memo import Memo
from jaxnets.config import Config, to_json
from jaxnets.errors import ConfigError, StoppedError, exit_code_of
from jaxnets.sweep import folder
from jaxnets.sweep.cells import Cell
from jaxnets.train.interrupt import terminable
from jaxnets.train.session import finished, state_after

log = logging.getLogger("jaxnets")

SPEC = "classical"
QUESTION = "What do hand-made features and a classifier reach?"
# Sends the log to a file.
SaidTo = Callable[[Path], contextlib.AbstractContextManager[None]]


def check(cells: Sequence[Cell], data_dir: str | None) -> None:
  """Finds before anything is written what no cell can be run without.

  Raises:
    ConfigError: no such dataset, fewer training images than wanted, or images that are too small
      for the features.
    DataError: the dataset is not prepared.
  """
  for cell in cells:
    section, wanted = cell.config.data, cell.config.pipeline.images
    data.info(section.name, data_dir)
    if wanted:
      there = data.training_images(section.name, section.validation, data_dir)
      if wanted > there:
        raise ConfigError(
          f"--sizes={wanted} is more than the {there:,} training images of {section.name}\n"
          "Use smaller ones, or all"
        )
    features.check_size(cell.config)


def declare(workdir: Path, cells: Sequence[Cell]) -> None:
  """Makes `workdir` a sweep folder with these cells; those of earlier commands stay.

  Raises:
    ConfigError: it holds a run, or cells of a ConvNet's sweep.
  """
  if (workdir / "config.json").exists():
    raise ConfigError(f"{workdir} holds a single run\nUse another --workdir")
  if folder.is_sweep(workdir):
    strangers = [r for r in folder.read(workdir).cells if "pipeline" not in r["config"]]
    if strangers:
      raise ConfigError(f"{workdir} holds a sweep of nets\nUse another --workdir")
  folder.write(workdir, SPEC, QUESTION, pipelines.base(), cells)


def run_cells(
  sweep: folder.Sweep,
  hashes: Sequence[str],
  data_dir: str | None,
  said_to: SaidTo,
  *,
  again: bool = False,
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | Exception]]:
  """Runs what is missing of some cells; yields each one's row and its summary or its error.

  A cell that is done is not run again, nor one that failed unless `again`. Features that the next
  cells need too are kept in memory.

  Raises:
    StoppedError: SIGTERM; the pipeline under way begins anew with the same command.
  """
  memo = Memo()
  for digest in hashes:
    row = folder.find(sweep, digest)
    workdir = sweep.workdir / row["folder"]
    try:
      with terminable("before it had a result"):
        result = run_cell(pipelines.from_json(row["config"]), workdir, data_dir, said_to, memo,
                          again=again)  # fmt: skip
    except StoppedError:
      raise
    except Exception as error:
      result = error
    yield row, result


def run_cell(
  config: Config,
  workdir: Path,
  data_dir: str | None,
  said_to: SaidTo,
  memo: Memo,
  *,
  again: bool = False,
) -> dict[str, Any]:
  """Runs a pipeline in its run folder, unless it is done; its summary.

  One that was interrupted begins anew: a pipeline has no checkpoint.

  Raises:
    ConfigError: the folder is in use, or holds a run with another config.
    Whatever the run raises; its folder says so too.
  """
  with contextlib.ExitStack() as held:
    held.enter_context(runs.locked(workdir))
    summary = finished(workdir, config)
    if summary is not None:
      return summary
    before = runs.read_run(workdir)
    if before.state == "failed" and not again:
      raise ConfigError(before.error)
    held.enter_context(said_to(workdir / "log.txt"))
    return _run_and_note(config, workdir, data_dir, memo)


def threads() -> int:
  """Of a pipeline's features, matrix products and forests: OMP_NUM_THREADS, else one a core."""
  said = os.environ.get("OMP_NUM_THREADS", "")
  return int(said) if said.isdecimal() and int(said) else os.cpu_count() or 1


def _run_and_note(
  config: Config, workdir: Path, data_dir: str | None, memo: Memo
) -> dict[str, Any]:
  """The run, with its end in run.json: state, exit code, error; the traceback is in log.txt."""
  try:
    about = data.info(config.data.name, data_dir)
    runs.begin(workdir, to_json(config), _facts(data_dir, about.fingerprint))

    def note() -> None:
      reads = runs.note_test_read(workdir)
      log.info("reading the test split; reads of it so far: %d", reads)

    summary = pipeline.run(pipeline.Reader(config, data_dir, memo, threads()), note)
    summary["data"] = {"name": about.name, "fingerprint": about.fingerprint}
    runs.write_json(workdir / "summary.json", summary)
  except (Exception, KeyboardInterrupt) as error:
    log.debug("traceback", exc_info=error)
    text = str(error) or type(error).__name__
    runs.end(workdir, state_after(error), exit_code_of(error), text)
    raise
  runs.end(workdir, "done", 0)
  return summary


def _facts(data_dir: str | None, fingerprint: str) -> dict[str, Any]:
  """What run.json says of a start besides what every run has."""
  return {
    **packages.versions(),
    "devices": "cpu",
    "threads": str(threads()),
    "data_dir": None if data_dir is None else str(Path(data_dir).absolute()),
    "data_fingerprint": fingerprint,
  }
