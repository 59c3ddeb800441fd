"""The memory of a traced program: what lives when, and what the backward pass keeps.

XLA writes a value to memory where something that it cannot fuse reads it: a convolution, a matrix
product, a window, a CPU's kernel; what such operations and reductions give is written too. All else
is computed inside its readers. Values live from the operation that writes them to the last that
reads them, in the order of the trace; what follows from the arguments alone is written first.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from jaxnets.cost.operation import Operation
from jaxnets.cost.program import LITERAL, Program

# Operations that XLA fuses with nothing, by the beginnings of their names.
APART = (
  "conv_general", "dot_general", "ffi_call", "pallas_call", "reduce_window", "select_and_",
  "scatter", "gather", "sort", "top_k", "cum", "rng", "random_bits", "threefry", "scan", "while",
  "cond", "custom", "jit",
)  # fmt: skip
REDUCTIONS = ("reduce_", "arg")
# Too dear for XLA to compute in each of several readers.
DEAR = frozenset(
  ("exp", "exp2", "log", "log1p", "expm1", "tanh", "logistic", "erf", "sqrt", "rsqrt", "div", "pow")
)
# What the kernels of `kernels.norm` and `kernels.pool` are given and only their common forms read,
# by its place: the sum that followed a norm, or what it gave; the image that was pooled.
UNREAD = {"kernel__batch_norm_gradient": 3, "kernel__max_pool_gradient": 0}
VIEWS = frozenset(("reshape", "squeeze", "expand_dims"))  # the same bytes in another shape


class Live(NamedTuple):
  """Temporary memory of one run, beside arguments; bytes."""

  peak: int  # most that lives at once, with the results
  kept: int  # what the forward pass leaves for the backward pass
  where: str  # the operation at the peak, with its scope


def bytes_of(value) -> int:
  """Bytes of an array of that shape and dtype; random keys are two words."""
  return math.prod(value.shape) * getattr(value.dtype, "itemsize", 8)


def measure_live(program: Program, images: int = 1, batched: int = LITERAL) -> Live:
  """The peak of a program's temporary memory, and what its backward pass keeps.

  Args:
    program: any.
    images: what follows from the input `batched` counts this many times, as for a batch of so many.
    batched: number of an input that holds one image.
  """
  written, sources = _written(program)
  last: dict[int, int] = {}
  for i, operation in enumerate(program.operations):
    if not written.isdisjoint(operation.writes):
      last |= dict.fromkeys(sources[i], i)
  first, end = -1, len(program.operations)
  starts: dict[int, int] = {}
  for i, operation in enumerate(program.operations):
    early = not _is_apart(operation) and not any(s in starts for s in sources[i])
    starts |= {n: first if early else i for n in operation.writes if n in written}
  for n in program.outputs:
    last[n] = end

  times = {batched: images}
  for operation in program.operations:
    if any(n in times for n in operation.reads):
      times |= dict.fromkeys(operation.writes, images)
  sizes = {n: times.get(n, 1) * bytes_of(program.values[n]) for n in starts}
  dying: dict[int, list[int]] = defaultdict(list)
  for n in starts:
    dying[last.get(n, starts[n])].append(n)
  living = sum(sizes[n] for n, start in starts.items() if start == first) + _folded(program)
  peak, where = living, "at the start"
  for i, operation in enumerate(program.operations):
    new = [n for n in operation.writes if starts.get(n) == i]
    living += sum(sizes[n] for n in new)
    now = living + _inside(operation) - _in_place(operation, new, dying[i], sizes)
    if now > peak:
      peak, where = now, "/".join((*operation.scope[1:], operation.name))
    living -= sum(sizes[n] for n in dying[i])
  return Live(peak, _kept(program, sources, starts, sizes), where)


def _is_apart(operation: Operation) -> bool:
  return operation.body is not None or operation.name.startswith(APART)


def _written(program: Program) -> tuple[set[int], list[set[int]]]:
  """Numbers of the values that are written to memory; and for every operation those of them that it
  reads, itself or through what is fused into it.
  """
  readers: dict[int, list[Operation]] = defaultdict(list)
  for operation in program.operations:
    for n in set(_reads(operation)):
      readers[n].append(operation)
  written = set()
  outputs, sources = set(program.outputs), []
  behind: dict[int, set[int]] = {n: {n} for n in program.inputs}
  for operation in program.operations:
    found = set().union(*(behind.get(n, ()) for n in _reads(operation)))
    sources.append(found)
    apart = _is_apart(operation) or operation.name.startswith(REDUCTIONS)
    for n in operation.writes:
      needed = apart or any(map(_is_apart, readers[n]))
      several = len(readers[n]) > 1 and (operation.name in DEAR or _is_sum(program, n, found))
      if n in outputs or ((needed or several) and operation.name not in VIEWS):
        written.add(n)
      behind[n] = {n} if n in written else found
  return written, sources


def _reads(operation: Operation) -> tuple[int, ...]:
  unread = UNREAD.get(operation.params.get("name", ""))
  if unread is None:
    return operation.reads
  return operation.reads[:unread] + operation.reads[unread + 1 :]


def _is_sum(program: Program, number: int, found: set[int]) -> bool:
  """Whether a value is made of several as large as itself: each reader would have to read them."""
  size = bytes_of(program.values[number])
  return sum(bytes_of(program.values[n]) >= size for n in found) > 1


def _folded(program: Program) -> int:
  """Bytes of the kernels that a CPU's layers scale by their norms; XLA makes all of them first."""
  return sum(
    bytes_of(operation.takes[1])
    for operation in program.operations
    if operation.params.get("name") == "kernel_conv_normalised"
  )


def _inside(operation: Operation) -> int:
  """What one round of a loop needs: its own peak, and its parts of the arrays it walks along."""
  if operation.body is None:
    return 0
  parts = 0
  if operation.name == "scan":
    whole = operation.params["num_consts"] + operation.params["num_carry"]
    parts = sum(bytes_of(operation.body.values[n]) for n in operation.body.inputs[whole:])
  return measure_live(operation.body).peak + parts


def _in_place(
  operation: Operation, new: Sequence[int], dying: Sequence[int], sizes: dict[int, int]
) -> int:
  """Bytes saved by writing an element-wise result over a value that nobody else will read."""
  if _is_apart(operation) or operation.name.startswith(REDUCTIONS):
    return 0
  room = {sizes[n] for n in dying if n not in operation.writes}
  return next((sizes[n] for n in new if sizes[n] in room), 0)


def _kept(
  program: Program, sources: list[set[int]], starts: dict[int, int], sizes: dict[int, int]
) -> int:
  """Bytes that the forward pass writes and the backward pass reads."""
  forward = {n for o in program.operations if not o.backward for n in o.writes if n in starts}
  read = set().union(
    *(found for o, found in zip(program.operations, sources, strict=True) if o.backward)
  )
  return sum(sizes[n] for n in forward & read)
