"""Ctrl-C and SIGTERM: asked for between two steps, never in the middle of one."""

import contextlib
import logging
import signal
from collections.abc import Callable, Iterator

from jaxnets.errors import StoppedError

log = logging.getLogger("jaxnets")

Stopped = Callable[[], int]  # the signal that came, 0 for none


@contextlib.contextmanager
def interruptible() -> Iterator[Stopped]:
  """Turns the first SIGINT or SIGTERM into a number to ask for; a second one ends at once."""
  received = []

  def note(number, frame):
    del frame
    received.append(number)
    log.info("%s: ending after this step or evaluation", signal.Signals(number).name)
    signal.signal(number, signal.SIG_DFL)

  before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
  try:
    yield lambda: received[0] if received else 0
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


@contextlib.contextmanager
def terminable(where: str) -> Iterator[None]:
  """Lets SIGTERM end at once what has no checkpoint, as Ctrl-C does, but by a StoppedError."""

  def end(number, frame):
    del frame
    raise stop(number, where)

  before = signal.signal(signal.SIGTERM, end)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


def stop(number: int, where: str) -> StoppedError:
  """The error that ends a run after a signal."""
  code = 130 if number == signal.SIGINT else 75
  name = signal.Signals(number).name
  return StoppedError(f"stopped by {name} {where}\nRun the same command to go on", code)
