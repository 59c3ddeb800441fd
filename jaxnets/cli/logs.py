"""Where the package's log goes while a verb runs."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from absl import logging as absl_logging

log = logging.getLogger("jaxnets")


@contextlib.contextmanager
def said_to(file: Path | None = None) -> Iterator[None]:
  """What is said goes to standard error and, in more detail and with the time, to `file`."""
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
    log.addHandler(handler)
  try:
    yield
  finally:
    log.propagate = propagated
    for handler in handlers:
      log.removeHandler(handler)
      handler.close()
