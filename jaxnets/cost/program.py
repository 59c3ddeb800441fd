"""A traced program as a flat list of operations: what every count of this room walks over.

Calls (jit, remat, custom rules, shard_map) are written out, dead operations are gone, and of a
choice the branch that costs most stays; where a platform has a form of its own, the common one.
Loops stay operations with a body.
"""

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend import core

from jaxnets.cost.operation import PRODUCTS, Operation, macs_of

# Primitives that are their sub-program, called once with the same arguments.
CALLS = {
  "jit": "jaxpr",
  "pjit": "jaxpr",
  "closed_call": "call_jaxpr",
  "core_call": "call_jaxpr",
  "remat2": "jaxpr",
  "checkpoint": "jaxpr",
  "custom_jvp_call": "call_jaxpr",
  "custom_vjp_call": "call_jaxpr",
  "custom_vmap_call": "call",
  "custom_partitioning": "call",
  "shard_map": "jaxpr",
}
# Operations that run whether their results are read or not.
EFFECTS = ("io_callback", "debug_callback", "debug_print")
LITERAL = -1
Paths = tuple[tuple[str, ...], ...]
Recorded = tuple[core.ClosedJaxpr, Paths]


class Program(NamedTuple):
  """Operations in the order of the trace, and the values that flow between them."""

  values: list[Any]  # shape and dtype of each, by its number
  inputs: tuple[int, ...]
  outputs: tuple[int, ...]
  paths: Paths  # of the inputs: number of the argument, keys inside it
  operations: list[Operation]


def trace(function: Callable, *arguments: Any, platform: str = "") -> Program:
  """The program of one call; nothing is computed, compiled or allocated.

  Args:
    function: any traceable function.
    *arguments: trees of arrays or of `jax.ShapeDtypeStruct`s.
    platform: "cpu", "cuda", "tpu": whose form is taken where there is a choice by platform; the
      common form by default.
  """
  return read(*record(function, *arguments), platform)


def record(function: Callable, *arguments: Any) -> Recorded:
  """What `read` takes: the jaxpr, and where its inputs lie in the arguments."""
  leaves = jax.tree_util.tree_leaves_with_path(arguments)
  paths = tuple(tuple(_name(key) for key in path) for path, _ in leaves)
  return jax.make_jaxpr(function)(*arguments), paths


def read(jaxpr: core.ClosedJaxpr, paths: Paths = (), platform: str = "") -> Program:
  """The program of a jaxpr; see `trace`."""
  writer = _Writer(platform)
  inputs = tuple(map(writer.value, (var.aval for var in jaxpr.jaxpr.invars)))
  outputs = writer.write(jaxpr.jaxpr, inputs, (), False, 1)
  names = paths or ((),) * len(inputs)
  return Program(writer.values, inputs, outputs, names, _alive(writer.operations, outputs))


def walk(program: Program, times: int = 1) -> Iterator[tuple[Operation, int]]:
  """Every operation with how often it runs, those in the bodies of loops too.

  Raises:
    ValueError: a loop with an unknown number of rounds holds multiply-adds.
  """
  for operation in program.operations:
    runs = times * operation.times
    if operation.body is None:
      yield operation, runs
    elif operation.rounds is not None:
      yield from walk(operation.body, runs * operation.rounds)
    elif any(
      inner.name in PRODUCTS
      for part in (operation.body, read(operation.params["cond_jaxpr"]))
      for inner, _ in walk(part)
    ):
      raise ValueError("a while loop with an unknown number of rounds holds multiply-adds")
    else:
      yield operation, runs


class _Writer:
  """Collects values and operations while sub-programs are written out."""

  def __init__(self, platform: str) -> None:
    self.platform = platform
    self.values: list[Any] = []
    self.operations: list[Operation] = []
    self.places: dict[tuple, tuple[tuple[str, ...], bool]] = {}

  def value(self, aval: Any) -> int:
    self.values.append(aval)
    return len(self.values) - 1

  def place(self, scope: tuple[str, ...], stack: Any) -> tuple[tuple[str, ...], bool]:
    """The scope of an equation with this name stack, and whether it is one of a gradient."""
    key = (scope, id(stack))  # many equations share a stack, which lives as long as they do
    if key not in self.places:
      names, backward = _scope(str(stack))
      self.places[key] = _join(scope, names), backward
    return self.places[key]

  def is_kernel(self, params: dict[str, Any]) -> bool:
    """Whether a call is one of `kernels.forms.choose`, and the program that of a CPU."""
    return self.platform == "cpu" and params.get("name", "").startswith("kernel_")

  def write(
    self, jaxpr: Any, given: Sequence[int], scope: tuple[str, ...], backward: bool, times: int
  ) -> tuple[int, ...]:
    """Writes a jaxpr out on the values `given`; returns the numbers of its results."""
    numbers = dict(zip(jaxpr.invars, given, strict=True))
    numbers |= {var: self.value(var.aval) for var in jaxpr.constvars}

    def number(var: Any) -> int:
      return LITERAL if isinstance(var, core.Literal) else numbers[var]

    by_platform = {
      e.outvars[0]: _branch_for(e.params["platforms"], self.platform)
      for e in jaxpr.eqns
      if e.primitive.name == "platform_index"
    }
    for equation in jaxpr.eqns:
      name, params = equation.primitive.name, equation.params
      place, is_gradient = self.place(scope, equation.source_info.name_stack)
      gradient = backward or is_gradient
      reads = tuple(map(number, equation.invars))
      called = None
      if name in CALLS and not self.is_kernel(params):
        called = params[CALLS[name]]
      elif name == "cond":
        branch = by_platform.get(equation.invars[0])
        branches = params["branches"]
        if branch is None:
          called = max(branches, key=functools.partial(_price, platform=self.platform))
        else:
          called = branches[branch]
        reads = reads[1:]
      if called is not None:
        devices = params["mesh"].size if name == "shard_map" else 1
        inner = getattr(called, "jaxpr", called)
        reads = self.write(inner, reads, place, gradient, times * devices)
      if called is None or (name == "cond" and equation.invars[0] not in by_platform):
        # A choice stays, as what passes its results on: nothing is fused across it.
        gives = tuple(var.aval for var in equation.outvars)
        takes = tuple(var.aval for var in equation.invars)
        if called is not None:  # what it passes on, then what decides
          reads, takes = (*reads, number(equation.invars[0])), (*gives, takes[0])
        writes = tuple(map(self.value, gives))
        body, rounds = _loop(name, params, self.platform)
        self.operations.append(
          Operation(name, reads, writes, takes, gives, params, place, gradient, times, body, rounds)
        )
      else:
        writes = reads
      numbers |= zip(equation.outvars, writes, strict=True)
    return tuple(map(number, jaxpr.outvars))


def _alive(operations: list[Operation], outputs: Sequence[int]) -> list[Operation]:
  """Without those whose results nobody reads, in scans too; XLA drops them as well."""
  needed, kept = set(outputs), []
  for operation in reversed(operations):
    if needed.isdisjoint(operation.writes) and operation.name not in EFFECTS:
      continue
    if operation.name == "scan":
      operation = operation._replace(body=_read_part(operation, needed))
    needed.update(operation.reads)
    kept.append(operation)
  return kept[::-1]


def _read_part(operation: Operation, needed: set[int]) -> Program:
  """The body of a scan without what makes the rows that nobody reads: LITERAL among its outputs."""
  body, carried = operation.body, operation.params["num_carry"]
  outputs = tuple(
    inner if i < carried or outer in needed else LITERAL
    for i, (inner, outer) in enumerate(zip(body.outputs, operation.writes, strict=True))
  )
  return body._replace(outputs=outputs, operations=_alive(body.operations, outputs))


def _loop(name: str, params: dict[str, Any], platform: str) -> tuple[Program | None, int | None]:
  """Body and rounds of a loop."""
  if name == "scan":
    return read(params["jaxpr"], platform=platform), params["length"]
  if name == "while":
    return read(params["body_jaxpr"], platform=platform), None
  return None, 1


def _branch_for(platforms: Sequence[Sequence[str] | None], platform: str) -> int:
  """Number of the branch for a platform; the last is for all others."""
  named = [i for i, names in enumerate(platforms) if names and platform in names]
  return named[0] if named else len(platforms) - 1


@functools.lru_cache(maxsize=1024)  # a choice inside a choice is priced at every level
def _price(branch: core.ClosedJaxpr, platform: str) -> tuple[int, int]:
  """Multiply-adds, then operations."""
  program = read(branch, platform=platform)
  macs = sum(times * macs_of(operation) for operation, times in walk(program))
  return macs, len(program.operations)


@functools.cache
def _scope(stack: str) -> tuple[tuple[str, ...], bool]:
  """ "transpose(jvp(ResNet))/stage1/conv1" -> (("ResNet", "stage1", "conv1"), True)."""
  names = re.sub(r"\b(?:jvp|transpose|vmap|checkpoint|rematted_computation|jit)\b", "", stack)
  return tuple(n for n in re.split(r"[/()]+", names) if n), "transpose(" in stack


@functools.cache
def _join(outer: tuple[str, ...], inner: tuple[str, ...]) -> tuple[str, ...]:
  """One scope in the other.

  What is traced once for many has the name of the first of them inside: "unit1" is left out of
  (..., "unit3") and ("unit1", "conv1").
  """
  if outer and inner and _without_number(outer[-1]) == _without_number(inner[0]):
    inner = inner[1:]
  return outer + inner


def _without_number(name: str) -> str:
  return re.sub(r"\d+$", "", name)


def _name(key: Any) -> str:
  """A step of a path into a tree of arguments."""
  for attribute in ("key", "name", "idx"):
    if hasattr(key, attribute):
      return str(getattr(key, attribute))
  return str(key)
