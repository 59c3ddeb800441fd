"""One train step of cifar_resnet20 in a process that may take so many bytes more than it has.

python -m tests.cost.limited BATCH BYTES; exit code 0 when the step was taken.
"""

import re
import resource
import sys
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxnets import config
from jaxnets.train.estimate import Subject, abstract_batch, estimate, make_step

# Of oneDNN's compiled primitives and their scratch, which no program's analysis knows; 8 MiB were
# too few, 16 enough.
OF_ONEDNN = 32 * 2**20


def main(batch: int, limit: int) -> None:
  program, state = prepared(batch)
  small, small_state = prepared(2)
  run(small, small_state, 2)  # starts the threads, which have stacks of their own
  has = re.search(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text())
  assert has
  most = 1024 * int(has[1]) + limit + OF_ONEDNN
  resource.setrlimit(resource.RLIMIT_DATA, (most, most))
  run(program, state, batch)


def subject(batch: int) -> Subject:
  c = config.base("cifar_resnet20")
  c.train.steps, c.train.batch = 100, batch
  return Subject(c, 10)


def prepared(batch: int):
  """The compiled step and a state of zeros, which is there before the limit counts."""
  about = subject(batch)
  found = estimate(about)
  key = jax.eval_shape(lambda: jax.random.key(0))
  images = abstract_batch(about, batch)
  step = jax.jit(make_step(about, found.net), donate_argnums=0)
  program = step.lower(found.state, images, key).compile()
  return program, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), found.state)


def run(program, state, batch: int) -> None:
  images = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype), abstract_batch(subject(batch), batch)
  )
  jax.block_until_ready(program(state, images, jax.random.key(0)))


if __name__ == "__main__":
  main(int(sys.argv[1]), int(sys.argv[2]))
