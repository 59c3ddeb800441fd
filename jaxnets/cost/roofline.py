"""The time that a traced program takes at least on a device: its roofline.

Williams et al. 2009, "Roofline: an insightful visual performance model for multicore
architectures", applied to one operation after the other.
"""

import math
from typing import Any, NamedTuple

import jax

from jaxnets.cost.devices import Device
from jaxnets.cost.operation import OPAQUE, PRODUCTS, Operation, macs_of
from jaxnets.cost.program import LITERAL, Program, walk
from jaxnets.errors import ConfigError

# Operations that pass each of their values on by itself; a choice reads what decides behind them.
PAIRED = ("cond", "optimization_barrier")
Sources = dict[int, int]  # bytes that are read of each value, by its number


class Bound(NamedTuple):
  """A lower bound on the time of one run of a program: computed, not measured, and no forecast."""

  bound_seconds: float  # no run is faster that moves its values through memory
  compute_seconds: float  # all its products at the peak rates
  memory_seconds: float  # all its traffic at the peak bandwidth
  compulsory_seconds: float  # its inputs read and outputs written once, whatever happens between
  flops: int  # of one device: two for each multiply-add that meets a value, not padding
  bytes: int  # that must move between one device and its memory
  intensity: float  # FLOP/byte
  limited_by: str  # "compute" or "memory"
  device: str  # its name


class _Work(NamedTuple):
  """What a program or a part of it needs at least."""

  seconds: float
  compute_seconds: float
  flops: int
  bytes: int


def bound(program: Program, device: Device, devices: int = 1) -> Bound:
  """No run of `program` is faster than this, if it computes what is written in it.

  Convolutions, matrix products, poolings, scatters, sorts and cumulative sums run one after
  another. Each takes the longer of its FLOPs at the peak rate of its dtype and its traffic at the
  peak bandwidth: it reads its operands and writes its results once. All else is free where it can
  be fused with one of those. An element-wise chain is read where it is narrowest, and written where
  it is narrowest or where the program returns it. A reduction belongs to what gives its operand. A
  gather or slice moves what it picks. Loops run their rounds, their carried values stay on the
  device unless one of the operations above gives or takes them.

  It is a bound and no forecast. Real programs are slower: they reach no peak, fuse less (a batch
  normalisation alone reads its operand again), start kernels, wait for other devices. They can be
  faster only by what the model leaves out: caches or scratchpads that hold whole values from one
  operation to the next, operations that overlap, and algorithms with fewer multiplications
  (Winograd, FFT). But for the last, the longer of `compute_seconds` and `compulsory_seconds` holds
  whatever is kept or overlaps.

  Of an operation that only a run could tell about (a foreign call) the traffic counts and no FLOPs,
  and of a while loop with an unknown number of rounds nothing does.

  Args:
    program: of the global batch.
    device: one chip; where JAX shows several devices for it, all of them (`jax_devices`).
    devices: chips that share the work evenly, that of the devices of a shard_map too. Traffic of
      parameters is divided like all else, though each chip reads them all: a weaker bound, but one.
      Communication is free.

  Raises:
    ConfigError: `devices` is less than 1.
    ValueError: a while loop with an unknown number of rounds holds multiply-adds.
  """
  if devices < 1:
    raise ConfigError(f"devices (={devices}) must be at least 1\nCount the chips: devices=1")
  for _ in walk(program):  # refuses loops that hold unknown work
    pass
  work = _work(program, device, set(program.inputs), set(program.outputs))
  compulsory = _compulsory(program)
  moved = max(work.bytes, compulsory)
  memory = moved / device.bandwidth
  return Bound(
    bound_seconds=max(work.seconds, memory) / devices,
    compute_seconds=work.compute_seconds / devices,
    memory_seconds=memory / devices,
    compulsory_seconds=compulsory / device.bandwidth / devices,
    flops=work.flops // devices,
    bytes=moved // devices,
    intensity=work.flops / moved if moved else math.inf,
    limited_by="compute" if work.compute_seconds >= memory else "memory",
    device=device.name,
  )


def _work(program: Program, device: Device, inputs: set[int], outputs: set[int]) -> _Work:
  """Work of one run, in which the traffic of those inputs and outputs counts.

  What is fused with no operation in particular may hide behind any of them. So the sum over the
  operations is bounded from below once more, by the time of all traffic together.
  """
  sizes = _sizes(program)
  sources = _sources(program)
  wanted = _wanted(program, sizes, outputs)
  seconds = compute = 0.0
  flops = moved = 0
  for operation in program.operations:
    if operation.name == "scan":
      inner = _scan(operation, device)
      runs = operation.times * (operation.rounds or 0)
      seconds, compute = seconds + runs * inner.seconds, compute + runs * inner.compute_seconds
      flops, moved = flops + runs * inner.flops, moved + runs * inner.bytes
    elif _is_heavy(operation):
      own = 2 * macs_of(operation, padding=False) * operation.times
      traffic = _read(operation, sources) + _written(operation, sizes, wanted, outputs)
      time = own / _peak(operation, device) if own else 0.0
      seconds += max(time, traffic / device.bandwidth)
      compute, flops, moved = compute + time, flops + own, moved + traffic
  given = {n for o in program.operations if _ends_chains(o) for n in o.writes}
  moved += sum(sizes[n] for n in outputs - given - set(program.inputs))
  # An input that goes into no heavy operation is read by what is fused with one.
  picked, used = _picked(program), _wanted(program, sizes, set(program.outputs))
  moved += sum(picked.get(n, 0) for n in inputs if not used.get(n))
  return _Work(max(seconds, moved / device.bandwidth), compute, flops, moved)


def _scan(operation: Operation, device: Device) -> _Work:
  """Work of one round: it takes a slice of each sequence and gives one."""
  constants, carried = (operation.params[name] for name in ("num_consts", "num_carry"))
  body = operation.body
  return _work(body, device, set(body.inputs[constants + carried :]), set(body.outputs[carried:]))


def _sizes(program: Program) -> dict[int, int]:
  """Bytes of each value, on all devices of a shard_map together."""
  sizes = {LITERAL: 0, **dict(enumerate(map(_bytes, program.values)))}
  for operation in program.operations:
    for number, value in zip(operation.writes, operation.gives, strict=True):
      sizes[number] = operation.times * _bytes(value)
  return sizes


def _sources(program: Program) -> dict[int, Sources]:
  """Values from which a fused chain can compute a value, where they are narrowest.

  Whoever reads a value moves no less than its widest operand or itself, whichever is smaller.
  """
  sources: dict[int, Sources] = {}
  for operation in program.operations:
    if _ends_chains(operation):
      continue
    reads = _taken(operation, sources)
    paired = operation.name in PAIRED
    for i, number in enumerate(operation.writes):
      if operation.name == "concatenate":  # each operand holds another part of it
        narrow = {n: size for read in reads for n, size in read.items()}
      else:
        narrow = reads[i] if paired else max(reads, key=_total, default={})
      size = operation.times * _bytes(operation.gives[i])
      sources[number] = narrow if _total(narrow) <= size else {number: size}
  return sources


def _taken(operation: Operation, sources: dict[int, Sources]) -> list[Sources]:
  """What each operand is read from; a shared operand of a shard_map is read on each device."""
  taken: list[Sources] = []
  for number, value in zip(operation.reads, operation.takes, strict=True):
    size = operation.times * _bytes(value)
    known = sources.get(number, {})
    if number == LITERAL:
      taken.append({})
    elif number not in sources or number in known:
      taken.append({number: size})
    else:
      taken.append({n: min(size, least) for n, least in known.items()})
  return taken


def _wanted(program: Program, sizes: dict[int, int], outputs: set[int]) -> dict[int, int]:
  """Bytes that must outlive what gives a value, so that heavy operations can use it later.

  None for a chain that only the outputs end: they are counted by themselves.
  """
  wanted = {n: sizes[n] for n in program.outputs if n not in outputs}
  for operation in reversed(program.operations):
    kept = [0 if n in outputs else min(sizes[n], wanted.get(n, 0)) for n in operation.writes]
    ends = _ends_chains(operation)
    paired = operation.name in PAIRED
    for i, number in enumerate(operation.reads):
      if number != LITERAL:
        own = kept[i] if paired and i < len(kept) else max(kept, default=0)
        least = sizes[number] if ends else own
        wanted[number] = max(wanted.get(number, 0), min(sizes[number], least))
  return wanted


def _read(operation: Operation, sources: dict[int, Sources]) -> int:
  """Bytes that a heavy operation reads."""
  taken = _taken(operation, sources)
  if operation.name.startswith("scatter"):
    taken = taken[1:]  # what it changes is changed in place
  return _total({n: size for read in taken for n, size in read.items()})


def _written(
  operation: Operation, sizes: dict[int, int], wanted: dict[int, int], outputs: set[int]
) -> int:
  """Bytes that a heavy operation writes."""
  kept = sum(sizes[n] if n in outputs else wanted.get(n, 0) for n in operation.writes)
  if operation.name.startswith("scatter"):
    return min(kept, operation.times * _bytes(operation.takes[2]))
  return kept


def _compulsory(program: Program) -> int:
  """Bytes of the inputs that are used, and of the outputs that are not inputs."""
  sizes = _sizes(program)
  written = set(program.outputs) - set(program.inputs)
  return sum(_picked(program).values()) + sum(sizes[n] for n in written)


def _picked(program: Program) -> dict[int, int]:
  """Bytes of each input that is used: all, or the largest slice if only slices are."""
  whole = {n: _bytes(program.values[n]) for n in program.inputs}
  picked: dict[int, int] = {}
  for operation in program.operations:
    slices = operation.name in ("slice", "dynamic_slice", "gather")
    part = operation.times * _bytes(operation.gives[0]) if slices else None
    for number in whole.keys() & set(operation.reads):
      least = whole[number] if part is None else min(part, whole[number])
      picked[number] = max(picked.get(number, 0), least)
  return picked


def _is_heavy(operation: Operation) -> bool:
  """Operations that read and write memory, and nothing is fused across."""
  if operation.body is not None:
    return False
  name = operation.name
  starts = ("reduce_window", "select_and_", "scatter", "sort", "top_k", "cum", "fft")
  return name in PRODUCTS or name in OPAQUE or name.startswith(starts)


def _ends_chains(operation: Operation) -> bool:
  """Whether its operands and results are values in memory."""
  return _is_heavy(operation) or operation.body is not None


def _peak(operation: Operation, device: Device) -> float:
  """FLOP/s at which a product runs at most; the device's highest where nothing is known."""
  asked = operation.params.get("precision")
  levels = asked if isinstance(asked, tuple) else (asked, asked)
  fastest = max(device.peaks.values())
  if not all(level is None or isinstance(level, jax.lax.Precision) for level in levels):
    return fastest  # an algorithm by its name
  exact = all(level == jax.lax.Precision.HIGHEST for level in levels)
  names = {
    "float32": "float32" if exact else device.float32_in,
    "float64": "float32",  # nowhere faster
  }
  dtypes = [str(value.dtype) for value in operation.takes[:2]]
  return max(device.peaks.get(names.get(dtype, dtype), fastest) for dtype in dtypes)


def _bytes(value: Any) -> int:
  """Of a shape and dtype; a random key counts by what JAX says of its dtype."""
  return math.prod(value.shape) * value.dtype.itemsize


def _total(sources: Sources) -> int:
  return sum(sources.values())
