"""What the process does with memory that is given back to it. No JAX here."""

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Of glibc's malloc.h, and its own value of the second.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8
# As they are where nobody tells, with the thresholds that glibc comes to by itself.
FREED = ((M_MMAP_MAX, 65536), (M_MMAP_THRESHOLD, 2**25), (M_TRIM_THRESHOLD, 2**26))
SHARE = 4  # kept memory has gaps: processes of two to three times a program's needs were seen


def keep_freed() -> None:
  """Keeps freed memory in the process, under glibc; to be called before JAX is imported.

  On a CPU XLA asks for a step's temporary memory anew at every step, in one block, which glibc
  otherwise maps and gives back to the system each time: to map and clear it again takes a third of
  a ResNet-20 step. The process then holds the most memory that it ever used, or more.
  """
  # One arena: those of threads cannot hold large blocks, and would map them after all. Threads that
  # have theirs already keep it, hence before JAX.
  _tell((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1))


def give_back_beyond(needed: int) -> None:
  """Gives freed memory back again, for a program whose bytes are much of those that there are.

  Near its limits a machine has no room for the gaps. All but the number of arenas is then as usual.
  """
  if SHARE * needed > there():
    _tell(*FREED)


def there() -> int:
  """Bytes that the process may have: of the machine, or of its control group if that is less."""
  most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
    with contextlib.suppress(OSError, ValueError):
      most = min(most, int(Path(limit).read_text()))
  return most


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
  """Without the search for unreachable objects.

  A trace makes many objects that stay while it does: to search them takes a fifth of its time.
  """
  collected = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if collected:
      gc.enable()


def _tell(*options: tuple[int, int]) -> None:
  if sys.platform != "linux":
    return
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except AttributeError:  # another C library, which has its own ways
    return
  for option, value in options:
    mallopt(option, value)
