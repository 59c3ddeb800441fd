"""A run's rows to a tracker as well, when one is named: nothing turns itself on.

The run folder stays whole without them; a tracker is told what metrics.jsonl is told.
"""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jaxnets.config import Config, flatten
from jaxnets.errors import DataError

Sink = Callable[[dict[str, Any]], None]  # takes a row of metrics.jsonl


@contextlib.contextmanager
def sinks(names: Sequence[str], workdir: Path, config: Config, step: int) -> Iterator[list[Sink]]:
  """The named trackers, open for one run.

  Args:
    names: of TRACKERS.
    workdir: the run folder; TensorBoard's files go to its folder tb, those of W&B to wandb.
    config: told to W&B.
    step: that the run begins after; what was told of later ones is taken back where that is known.

  Raises:
    DataError: the tracker's package is not installed.
  """
  with contextlib.ExitStack() as opened:
    yield [opened.enter_context(TRACKERS[name](workdir, config, step)) for name in names]


@contextlib.contextmanager
def _tensorboard(workdir: Path, config: Config, step: int) -> Iterator[Sink]:
  del config
  writer = _package("tensorboardX", "tb").SummaryWriter(
    str(workdir / "tb"), purge_step=step + 1 if step else None
  )

  def tell(row: dict[str, Any]) -> None:
    for name, value in _numbers(row).items():
      writer.add_scalar(f"{row['split']}/{name}", value, row["step"])

  try:
    yield tell
  finally:
    writer.close()


@contextlib.contextmanager
def _wandb(workdir: Path, config: Config, step: int) -> Iterator[Sink]:
  del step
  run = _package("wandb", "wandb").init(
    project="jaxnets", name=workdir.name, id=workdir.name[-64:], resume="allow",
    dir=str(workdir), config=flatten(config),
  )  # fmt: skip
  try:
    yield lambda row: run.log(
      {f"{row['split']}/{name}": value for name, value in _numbers(row).items()},
      step=row["step"],
    )
  finally:
    run.finish()


TRACKERS = {"tb": _tensorboard, "wandb": _wandb}


def _package(name: str, tracker: str) -> Any:
  """The tracker's package; it is no part of a plain installation."""
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError:
    raise DataError(
      f'--track={tracker} needs {name}, which is not installed\npip install "jaxnets[{tracker}]"'
    ) from None


def _numbers(row: dict[str, Any]) -> dict[str, float]:
  return {
    name: value
    for name, value in row.items()
    if name != "step" and isinstance(value, int | float) and not isinstance(value, bool)
  }
