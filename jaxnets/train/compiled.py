"""The train step as a compiled program, and the memory that it needs."""

import contextlib
import fcntl
import functools
import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax import monitoring

from jaxnets import memory
from jaxnets.errors import ConfigError

log = logging.getLogger("jaxnets")


class Compiled(NamedTuple):
  """A train step as a program, and how this run came by it."""

  call: Callable[..., Any]
  how: str  # "compiled", "cache": read from the compilation cache, "shared": by a run before
  seconds: float


def compile_step(name: str, function: Callable[..., Any], *arguments: Any) -> Compiled:
  """The jitted function, compiled for these arguments, saying how long that took.

  A process compiles a function once for arguments of one kind. Of several processes one compiles a
  program, while the others wait for it and then find it in the compilation cache.

  Args:
    name: of the program, the same in all processes.
    function: jitted.
    *arguments: what it will be called with, or their shapes.

  Raises:
    ConfigError: it needs more memory than there is.
  """
  start, before = time.monotonic(), _compile.cache_info().hits
  leaves, tree = jax.tree.flatten(arguments)
  shapes = tuple(
    jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=leaf.sharding if getattr(leaf, "committed", False) else None
    )
    for leaf in leaves
  )
  program, how = _compile(name, function, tree, shapes)
  if _compile.cache_info().hits > before:
    how = "shared"
  return Compiled(program, how, time.monotonic() - start)


def forget() -> None:
  """Lets go of the compiled step."""
  _compile.cache_clear()


@functools.lru_cache(maxsize=1)
def _compile(name: str, function: Any, tree: Any, shapes: tuple[Any, ...]) -> tuple[Any, str]:
  log.info("compiling the train step ...")
  start = time.monotonic()
  lowered = function.lower(*jax.tree.unflatten(tree, shapes))
  with _alone(name), _reads_of_cache() as reads:
    program = lowered.compile()
  needed = total_bytes(program)
  if needed > (there := memory_of_device()):
    raise ConfigError(
      f"the train step needs {needed / 2**30:,.2f} GiB of memory, but there are "
      f"{there / 2**30:,.2f} GiB\nThe largest batch that fits: python launch.py cost "
      f"--config=... --fits={there / 2**30:.3g}GiB; or a smaller net.width"
    )
  if jax.default_backend() == "cpu":
    memory.give_back_beyond(needed)
  seconds = time.monotonic() - start
  log.info("compiled in %.1f s%s", seconds, ", from the cache" if reads else "")
  return program, "cache" if reads else "compiled"


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
  """Waits for other processes that compile the program `name`, where there is a cache to share."""
  folder = jax.config.values["jax_compilation_cache_dir"]
  with contextlib.ExitStack() as held:
    if folder and "://" not in folder:
      with contextlib.suppress(OSError):  # a file system without locks: each compiles for itself
        Path(folder).mkdir(parents=True, exist_ok=True)
        file = held.enter_context(open(Path(folder) / f".compiling-{name}", "w"))
        fcntl.flock(file, fcntl.LOCK_EX)
    yield


@contextlib.contextmanager
def _reads_of_cache() -> Iterator[list[str]]:
  """A list that fills with this process's reads of the compilation cache."""
  reads: list[str] = []

  def note(event: str, **facts: Any) -> None:
    del facts
    if event == "/jax/compilation_cache/cache_hits":
      reads.append(event)

  monitoring.register_event_listener(note)
  try:
    yield reads
  finally:
    monitoring.unregister_event_listener(note)


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
