"""The largest batch whose train step fits into a memory."""

from typing import NamedTuple

from jaxnets import kernels
from jaxnets.cost.program import read
from jaxnets.errors import ConfigError
from jaxnets.train.estimate import (
  Estimate,
  Memory,
  Subject,
  measure_memory,
  net_as_run,
  record_gradient,
)

FIRST = 8  # the second batch that is traced, in smallest ones
MOST_LINES = 12  # batches that are found by lines; then halves are quicker


class Fit(NamedTuple):
  """The largest batch, over all devices, and what it needs on each."""

  batch: int
  limit: int  # bytes
  needed: int  # bytes of its train step
  next_batch: int  # the least that is too large
  next_needed: int


def largest_batch(estimate: Estimate, limit: int) -> Fit:
  """The largest batch whose train step is estimated to need at most `limit` bytes on a device.

  Batches are whole multiples of what devices, accumulation and statistics groups divide. Memory
  grows with them along a line, or a few; every answer is traced, not interpolated.

  Raises:
    ConfigError: not even the smallest fits.
  """
  train = estimate.subject.config.train
  unit = estimate.subject.devices * train.accumulation * max(1, train.norm_group)
  known: dict[int, int] = {}

  def needed(units: int) -> int:
    if units not in known:
      known[units] = _memory(estimate, units * unit).train
    return known[units]

  if needed(1) > limit:
    raise ConfigError(
      f"a batch of {unit} needs {needed(1):,} bytes, more than --fits ({limit:,})\n"
      "Try a smaller net.width or data.image_size, net.remat, or --precision=bfloat16"
    )
  low, high, guess = 1, 0, FIRST  # low fits; high does not, once there is one
  while high != low + 1:
    below = low
    low, high = (guess, high) if needed(guess) <= limit else (low, guess)
    # Where the line through two that are known meets the limit.
    other = high or below
    slope = (needed(other) - needed(low)) / (other - low)
    step = int((limit - needed(low)) / slope) if slope > 0 else low
    guess = low + max(1, step)
    if high and len(known) > MOST_LINES:
      guess = (low + high) // 2
    guess = min(guess, high - 1) if high else guess
  return Fit(low * unit, limit, needed(low), high * unit, needed(high))


def _memory(estimate: Estimate, batch: int) -> Memory:
  """That of the same subject with another batch."""
  config = estimate.subject.config.copy_and_resolve_references()
  config.train.batch = batch
  subject: Subject = estimate.subject._replace(config=config)
  with kernels.assumed(estimate.memory.kernels):
    recorded = record_gradient(subject, net_as_run(subject, estimate.net), estimate.state)
  gradient = read(*recorded, subject.platform)
  return measure_memory(subject, estimate.state, gradient, estimate.inference)
