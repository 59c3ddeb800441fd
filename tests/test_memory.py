"""Kept memory: pages of a block that was freed are there when it is asked for again."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, resource, sys
from jaxnets import memory

def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def fill():
  block = ctypes.create_string_buffer(SIZE)
  ctypes.memset(block, 1, SIZE)

SIZE = 2**28
for setting in sys.argv[1:]:
  if setting == "keep":
    memory.keep_freed()
  if setting == "small":
    memory.give_back_beyond(2**20)
  if setting == "large":
    memory.give_back_beyond(2**50)
fill()
before = faults()
for _ in range(4):
  fill()
print((faults() - before) / 4 * 4096 / SIZE)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
@pytest.mark.parametrize(
  ("settings", "mapped_again"),
  [((), True), (("keep",), False), (("keep", "small"), False), (("keep", "large"), True)],
)
def test_freed_memory_is_kept_unless_a_program_needs_much_of_the_machines(settings, mapped_again):
  done = subprocess.run(
    [sys.executable, "-c", PROGRAM, *settings],
    cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True,
  )  # fmt: skip
  # With huge pages there are fewer faults than pages, but never next to none.
  assert (float(done.stdout) > 1e-3) == mapped_again
