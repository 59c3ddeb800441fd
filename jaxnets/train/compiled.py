"""The train step as a compiled program, and the memory that it needs."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import jax

from jaxnets import memory
from jaxnets.errors import ConfigError

log = logging.getLogger("jaxnets")


def compile_step(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
  """The jitted function, compiled for these arguments, saying how long that took.

  Raises:
    ConfigError: it needs more memory than there is.
  """
  log.info("compiling the train step ...")
  start = time.monotonic()
  program = function.lower(*arguments).compile()
  needed = total_bytes(program)
  if needed > (there := memory_of_device()):
    raise ConfigError(
      f"the train step needs {needed / 2**30:,.2f} GiB of memory, but there are "
      f"{there / 2**30:,.2f} GiB\nThe largest batch that fits: python launch.py cost "
      f"--config=... --fits={there / 2**30:.3g}GiB; or a smaller net.width"
    )
  if jax.default_backend() == "cpu":
    memory.give_back_beyond(needed)
  log.info("compiled in %.1f s", time.monotonic() - start)
  return program


def memory_of_device() -> int:
  """Bytes that programs may have on a device; of a CPU those of the process."""
  if jax.default_backend() == "cpu":
    return memory.there()
  limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
  return limit or sys.maxsize  # some devices do not say


def total_bytes(program: Any) -> int:
  """Arguments, results and temporary values of a compiled program on a device, shared ones once.

  0 where the backend does not say.
  """
  sizes = program.memory_analysis()
  if sizes is None:
    return 0
  return (
    sizes.argument_size_in_bytes
    + sizes.output_size_in_bytes
    - sizes.alias_size_in_bytes
    + sizes.temp_size_in_bytes
  )
