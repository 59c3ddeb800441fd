"""The traced counts and memory of a net beside what XLA says of the compiled program."""

from collections.abc import Callable
from typing import Any

import jax

from jaxnets import cost, kernels
from jaxnets.cost.net import abstract_key, forward_of
from jaxnets.cost.operation import elementwise_of, macs_of
from jaxnets.cost.program import trace, walk
from jaxnets.errors import ConfigError
from jaxnets.train.compiled import total_bytes
from jaxnets.train.estimate import Estimate, abstract_batch, abstract_images, make_step

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
  before, compiled = _flops(lowered), _flops(lowered.compile())
  counted = list(walk(program))
  macs, elementwise = cost.sums(program)
  macs *= 2
  valid = 2 * sum(times * macs_of(operation, padding=False) for operation, times in counted)
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


def _flops(stage: Any) -> int:
  found = (stage.cost_analysis() or {}).get("flops", 0)
  if found <= 0:
    raise ConfigError(f"XLA counts no FLOPs on {jax.default_backend()} devices\nLeave out --xla")
  return int(found)


def crosscheck(estimate: Estimate) -> dict[str, Any]:
  """Of an estimate: FLOPs of its forward pass of one image; memory of its train step and inference.

  The FLOPs are of the common form of the operations: C++ kernels are closed to XLA.

  Raises:
    ConfigError: the estimate is for devices that are not here, or XLA does not count.
  """
  subject, net, state = estimate.subject, estimate.net, estimate.state
  here = "cuda" if jax.default_backend() == "gpu" else jax.default_backend()
  if subject.platform != here:
    raise ConfigError(
      f"--xla compiles for the devices here ({here}), but the estimate is for {subject.platform}\n"
      "Leave out --device, or run it there"
    )
  with kernels.assumed("definition"):
    one = abstract_images(subject, 1)
    flops = crosscheck_flops(forward_of(net), state.params, state.stats, one)
  batch = abstract_batch(subject, estimate.memory.batch)
  step = jax.jit(make_step(subject, net), donate_argnums=0)
  train = step.lower(state, batch, abstract_key()).compile()
  # Parameters of auxiliary heads are there, though inference does not read them.
  forward = jax.jit(forward_of(net), keep_unused=True)
  several = abstract_images(subject, estimate.memory.batch)
  inference = forward.lower(state.params, state.stats, several).compile()
  return {
    "flops": flops,
    "memory": {"train": total_bytes(train), "forward": total_bytes(inference)},
  }
