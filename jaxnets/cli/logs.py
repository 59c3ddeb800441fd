"""Where the package's log goes while a verb runs."""

import contextlib
import contextvars
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from absl import logging as absl_logging

log = logging.getLogger("jaxnets")
# The file of the run that is speaking, where several speak in one process.
_speaking: contextvars.ContextVar[Path | None] = contextvars.ContextVar("speaking", default=None)


@contextlib.contextmanager
def said_to(file: Path | None = None) -> Iterator[None]:
  """What is said goes to standard error and, in more detail and with the time, to `file`.

  Entered in contexts of their own, several files each get what is said in their context, and all
  get what is said in none.
  """
  absl_logging.set_verbosity(absl_logging.ERROR)  # orbax narrates every file at INFO
  console = logging.StreamHandler(sys.stderr)
  console.setLevel(logging.INFO)
  handlers: list[logging.Handler] = [console]
  if file is not None:
    handlers.append(logging.FileHandler(file))
    handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
  log.setLevel(logging.DEBUG)
  propagated, log.propagate = log.propagate, False
  for handler in handlers:
    handler.addFilter(lambda record: _speaking.get() in (None, file))
    log.addHandler(handler)
  speaking = _speaking.get()
  _speaking.set(file)
  try:
    yield
  finally:
    _speaking.set(speaking)
    log.propagate = propagated
    for handler in handlers:
      log.removeHandler(handler)
      handler.close()
