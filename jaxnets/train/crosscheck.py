"""The traced counts and memory of a net beside what XLA says of the compiled program."""

import time
from collections.abc import Callable
from typing import Any

import jax

from jaxnets import kernels
from jaxnets.cost.operation import elementwise_of, macs_of
from jaxnets.cost.program import Program, trace, walk
from jaxnets.train.compiled import total_bytes
from jaxnets.train.estimate import Estimate, abstract_batch, forward_of, make_step

# XLA counts these apart, as "transcendentals".
TRANSCENDENTAL = frozenset(
  ("cbrt", "cos", "erf", "exp", "exp2", "expm1", "log", "log1p", "logistic", "pow", "rsqrt", "sin",
   "sqrt", "tan", "tanh")
)  # fmt: skip


def crosscheck_flops(function: Callable, *arguments: Any) -> dict[str, int | float]:
  """FLOPs of a traced function and of the program that XLA makes of it, and what lies between.

  XLA leaves out the taps on padding, and counts roots, exponentials and their like apart; what is
  left between the trace and XLA's count of it before its optimisations is unexplained. Its
  optimisations then compute some values again in each of their readers, and leave others out: the
  difference between its two counts.

  Returns:
    macs_flops - padding + elementwise - transcendental + unexplained = before; + optimised =
    compiled; share: of the unexplained in what XLA counts.
  """
  program = trace(function, *arguments)
  lowered = jax.jit(function).lower(*arguments)
  before, compiled = (_flops(stage) for stage in (lowered, lowered.compile()))
  return _attribute(program, before, compiled)


def _flops(stage: Any) -> int:
  """XLA's own count; some backends have none."""
  return int((stage.cost_analysis() or {}).get("flops", 0))


def _attribute(program: Program, before: int, compiled: int) -> dict[str, int | float]:
  counted = list(walk(program))
  macs = 2 * sum(times * macs_of(operation) for operation, times in counted)
  valid = 2 * sum(times * macs_of(operation, padding=False) for operation, times in counted)
  elementwise = sum(times * elementwise_of(operation) for operation, times in counted)
  apart = sum(
    times * elementwise_of(operation)
    for operation, times in counted
    if operation.name in TRANSCENDENTAL
  )
  unexplained = before - (valid + elementwise - apart)
  return {
    "macs_flops": macs,
    "padding": macs - valid,
    "elementwise": elementwise,
    "transcendental": apart,
    "unexplained": unexplained,
    "before": before,
    "optimised": compiled - before,
    "compiled": compiled,
    "share": abs(unexplained) / max(1, before),
  }


def _compile(function: Callable, *arguments: Any) -> Any:
  """Compiled, with arguments that it does not read: they are there all the same."""
  return jax.jit(function, keep_unused=True).lower(*arguments).compile()


def crosscheck(estimate: Estimate) -> dict[str, Any]:
  """Of an estimate: FLOPs of its forward pass of one image; memory of its train step and inference.

  The FLOPs are of the common form of the operations: C++ kernels are closed to XLA.
  """
  subject, net, state = estimate.subject, estimate.net, estimate.state
  size = subject.config.data.image_size
  image = jax.ShapeDtypeStruct((1, size, size, subject.channels), "float32")
  start = time.monotonic()
  with kernels.assumed("definition"):
    flops = crosscheck_flops(forward_of(net), state.params, state.stats, image)
  images = estimate.memory.batch
  batch = abstract_batch(subject, images)
  key = jax.eval_shape(lambda: jax.random.key(0))
  step = make_step(subject, net)
  train = jax.jit(step, donate_argnums=0).lower(state, batch, key).compile()
  several = jax.ShapeDtypeStruct((images, size, size, subject.channels), "float32")
  inference = _compile(forward_of(net), state.params, state.stats, several)
  return {
    "flops": flops,
    "memory": {"train": total_bytes(train), "forward": total_bytes(inference)},
    "seconds": time.monotonic() - start,
  }
