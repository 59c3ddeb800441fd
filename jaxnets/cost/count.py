"""What a function costs, from its traced program."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnets.cost.layers import Layer, find_layers
from jaxnets.cost.operation import OPAQUE, PRODUCTS, Operation, elementwise_of, macs_of
from jaxnets.cost.program import Program, trace, walk


class Cost(NamedTuple):
  """What one call of a function costs."""

  params: int  # learned values
  macs: int  # multiply-adds of convolutions and matrix products
  elementwise: int  # scalar operations of everything else
  activations: int  # values that convolutions and matrix products give
  activation_bytes: int
  layers: tuple[Layer, ...]
  uncounted: dict[str, int]  # operations that nothing is known of, and how often they run
  program: Program

  @property
  def flops(self) -> int:
    """Floating-point operations of the MACs: two each, a multiplication and an addition."""
    return 2 * self.macs


def of(function: Callable, *arguments: Any, argument: int | None = 0) -> Cost:
  """What one call of `function` costs; nothing is computed, compiled or allocated.

  Every tap of a window counts, also those on padding, as the papers count. What jit, remat, custom
  rules and shard_map (times its devices) wrap is counted inside, a scan times its length, the
  dearest branch of a cond, and the common form of a choice by platform. A gradient is counted by
  tracing it: `of(jax.value_and_grad(loss), params, images)`.

      def forward(params, images): ...
      cost.of(forward, params, jax.ShapeDtypeStruct((1, 224, 224, 3), "float32")).macs

  Args:
    function: any traceable function.
    *arguments: trees of arrays or of `jax.ShapeDtypeStruct`s.
    argument: number of the argument that holds the parameters, as jax.grad's argnums; None for
      none. A bare array is none. Of a tree with "params" at its top, as Flax's variables, only
      those are.

  Returns:
    The counts. Activations are the outputs of convolutions and matrix products (Radosavovic et al.
    2020, 2003.13678, section 3.2, and their linear layers too).

  Raises:
    ValueError: `argument` is none of the arguments, or a while loop with an unknown number of
      rounds holds multiply-adds.
  """
  if argument is not None and not 0 <= argument < len(arguments):
    raise ValueError(f"argument (={argument}) must be one of the {len(arguments)} given, or None")
  return of_program(trace(function, *arguments), argument)


def of_program(program: Program, argument: int | None = 0) -> Cost:
  """`of`, for a program that is traced already."""
  parameters = _parameters(program, argument)
  counted = list(walk(program))
  macs, elementwise = _sums(counted)
  uncounted: Counter[str] = Counter()
  for operation, times in counted:
    if operation.name in OPAQUE:
      uncounted[operation.name] += times
  return Cost(
    params=sum(math.prod(program.values[n].shape) for n in parameters),
    macs=macs,
    elementwise=elementwise,
    activations=sum(times * _given(operation) for operation, times in counted),
    activation_bytes=sum(
      times * _given(operation) * operation.gives[0].dtype.itemsize
      for operation, times in counted
      if operation.name in PRODUCTS
    ),
    layers=tuple(find_layers(program, parameters)),
    uncounted=dict(uncounted),
    program=program,
  )


def _parameters(program: Program, argument: int | None) -> dict[int, tuple[str, ...]]:
  """Where each parameter lies, by its number; of Flax's variables those of "params" only."""
  inputs = zip(program.inputs, program.paths, strict=True)
  found = {n: path[1:] for n, path in inputs if len(path) > 1 and path[0] == str(argument)}
  flax = {n: path[1:] for n, path in found.items() if path[0] == "params" and len(path) > 1}
  return flax or found


def sums(program: Program) -> tuple[int, int]:
  """MACs, and scalar operations of everything else."""
  return _sums(list(walk(program)))


def _sums(counted: list[tuple[Operation, int]]) -> tuple[int, int]:
  macs = sum(times * macs_of(operation) for operation, times in counted)
  return macs, sum(times * elementwise_of(operation) for operation, times in counted)


def count_macs(function: Callable, *arguments: Any) -> int:
  """MACs alone."""
  return sums(trace(function, *arguments))[0]


def _given(operation: Operation) -> int:
  return math.prod(operation.gives[0].shape) if operation.name in PRODUCTS else 0
