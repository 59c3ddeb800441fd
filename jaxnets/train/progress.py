"""What a run says while it goes: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

log = logging.getLogger("jaxnets")
LINE_SECONDS = 5.0  # least time between two plain lines


class Reporter:
  """Told of every logged row; shows it when it is due."""

  def __init__(self, steps: int, bar: Progress | None):
    self.steps = steps
    self.bar = bar
    self.task = bar.add_task("train", total=steps, text="") if bar else None
    self.last_line = -LINE_SECONDS

  def row(self, step: int, loss: float, top1: float, rate: float) -> None:
    """Shows a logged row: mean loss and accuracy since the last one, images per second."""
    text = f"loss {loss:.3f}  top-1 {100 * top1:5.1f} %  {rate:,.0f} images/s"
    if self.bar is not None and self.task is not None:
      self.bar.update(self.task, completed=step, text=text)
      return
    if time.monotonic() - self.last_line >= LINE_SECONDS or step == self.steps:
      self.last_line = time.monotonic()
      log.info("step %*d/%d  %s", len(str(self.steps)), step, self.steps, text)


@contextmanager
def reporter(steps: int) -> Iterator[Reporter]:
  """A reporter for a run of `steps`, with a bar when standard error is a terminal."""
  if not sys.stderr.isatty():
    yield Reporter(steps, None)
    return
  columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[text]}"),
             TimeRemainingColumn())  # fmt: skip
  with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
    yield Reporter(steps, bar)
