"""Seconds that real steps take; what no bound and no estimate is a substitute for."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnets.cost.roofline import Bound
from jaxnets.errors import ConfigError


class Timing(NamedTuple):
  """Measured times of one step, in seconds."""

  measured_seconds: float  # median
  minimum_seconds: float
  lower_quartile_seconds: float
  upper_quartile_seconds: float
  steps: int  # that were timed


def time_steps(
  run: Callable[[], Any],
  steps: int = 20,
  warmup: int = 3,
  clock: Callable[[], float] = time.perf_counter,
) -> Timing:
  """Times runs of a compiled step, each to its end, as the host's clock sees them.

  A step that is given its state away threads it in `run`:

      def run():
        nonlocal state
        state, metrics = step(state, batch)
        return state, metrics

  Args:
    run: takes one step and returns all that it computes, which is waited for.
    steps: that are timed.
    warmup: steps before them, of which the first compiles.
    clock: seconds from any start.

  Raises:
    ConfigError: fewer than one step, or than none to warm up.
  """
  if steps < 1 or warmup < 0:
    raise ConfigError(
      f"steps (={steps}) must be at least 1, warmup (={warmup}) at least 0\n"
      "Time 20 steps after 3 for warming up"
    )
  for _ in range(warmup):
    jax.block_until_ready(run())
  seconds = []
  for _ in range(steps):
    start = clock()
    jax.block_until_ready(run())
    seconds.append(clock() - start)
  low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
  return Timing(float(middle), min(seconds), float(low), float(high), steps)


def compare(timing: Timing, bound: Bound) -> float:
  """How many times the bound the median measured step took: 1 is as fast as can be.

  Less than 1 says that the bound is not one: a peak rate is too low, or traffic was counted that a
  cache had saved.
  """
  return timing.measured_seconds / bound.bound_seconds


def least_in_turns(
  runs: Mapping[Any, Callable[[], Any]],
  turns: int,
  clock: Callable[[], float] = time.perf_counter,
) -> dict[Any, float]:
  """The least seconds of each of several steps that have run before, in turns.

  What is beside slows all alike.
  """
  least = dict.fromkeys(runs, math.inf)
  for _ in range(turns):
    for name, run in runs.items():
      least[name] = min(least[name], time_steps(run, 1, 0, clock).minimum_seconds)
  return least
