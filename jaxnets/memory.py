"""What the process does with memory that is given back to it. No JAX here."""

import ctypes
import sys

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed() -> None:
  """Keeps freed memory in the process, under glibc; to be called before JAX is imported.

  On a CPU XLA asks for a step's temporary memory anew at every step, in one block, which glibc
  otherwise maps and gives back to the system each time: to map and clear it again takes a fifth of
  a ResNet-20 step. The process then holds the most memory that it ever used until it ends.
  """
  if sys.platform != "linux":
    return
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except AttributeError:  # another C library, which has its own ways
    return
  # One arena: those of threads cannot hold large blocks, and would map them after all. Threads that
  # have theirs already keep it, hence before JAX.
  for option, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1)):
    mallopt(option, value)
