"""One framework in a process of its own, which computes only when it is told to.

On standard input, one command a line; each is answered by a line of JSON on standard output:

  build MODE       compiles and warms up; -> facts
  go MODE STEPS    runs that many steps; -> what `Turn` says

MODE is train or infer, or of the net "ceilings" copy or matmul. The process ends with its input.
"""

import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Runs so many steps and returns the last loss, of training.
Run = Callable[[int], float | None]
# mode -> its facts, and what runs it
Make = Callable[[str], tuple[dict[str, Any], Run]]

BATCHES = 4  # taken in turn, so that no cache holds the input
LEARNING_RATE = 1e-3  # small: the labels are random, and the numbers shall stay finite
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
WARM_UP = 3
COPY_BYTES = 2**31
MATMUL_SIDE = 8192


class Work(NamedTuple):
  """A net and its images."""

  net: str
  fields: dict[str, Any]
  size: int
  batch: int
  classes: int
  dtype: str = "bfloat16"  # of the computation


class Turn(NamedTuple):
  """What some steps took."""

  seconds: float
  cpu_seconds: float  # of all threads of the process
  idle_cpu_seconds: float  # the same since the last turn, while others had theirs
  other_cpu_seconds: float  # of all other processes on the machine, during this turn
  peak_bytes: int  # most memory that was ever resident
  loss: float | None


def work(net: str, batch: int, small: bool) -> Work:
  """The published net on 224 px, or a tiny one."""
  if small:
    return Work(net, {"widths": (8, 16), "units": (1, 1), "stem_width": 8}, 32, batch, 10)
  return Work(net, {}, 224, batch, 1000)


def batches(given: Work) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Images float32 [batch, height, width, 3] and labels int64 [batch], the same for everyone."""
  draw = np.random.default_rng(0)
  for _ in range(BATCHES):
    images = draw.standard_normal((given.batch, given.size, given.size, 3), np.float32)
    yield images, draw.integers(0, given.classes, given.batch)


def serve(make: Make) -> int:
  """Answers commands until standard input ends."""
  # Whatever a library prints must not meet the answers.
  answers = os.fdopen(os.dup(1), "w")
  os.dup2(2, 1)
  runs, idle_since = {}, time.process_time()
  for line in sys.stdin:
    command, mode, *count = line.split()
    try:
      if command == "build":
        answer, runs[mode] = make(mode)
      else:
        answer = turn(runs[mode], int(count[0]), idle_since)._asdict()
    except Exception as error:  # the one who asked decides
      text = f"{type(error).__name__}: {error}"
      full = "RESOURCE_EXHAUSTED" in text or "OutOfMemory" in text
      answer = {"error": text[:500], "out_of_memory": full}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
    idle_since = time.process_time()
  return 0


def turn(run: Run, steps: int, idle_since: float) -> Turn:
  """Runs the steps; `idle_since` is the CPU time at the end of the last turn."""
  busy, cpu, start = machine_seconds(), time.process_time(), time.perf_counter()
  loss = run(steps)
  seconds, own = time.perf_counter() - start, time.process_time() - cpu
  others = max(0.0, machine_seconds() - busy - own)
  return Turn(seconds, own, cpu - idle_since, others, peak_resident(), loss)


def machine_seconds() -> float:
  """CPU time that the machine has spent since its start, in hundredths; 0 where it does not say."""
  try:
    spent = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
  except (OSError, IndexError, ValueError):
    return 0.0
  user, nice, system, _, _, interrupts, soft, stolen = spent
  return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def peak_resident() -> int:
  """Most bytes of this process that were ever in memory."""
  try:
    # Of this program alone; what getrusage says starts at the size of the process it came from.
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])
  except (OSError, IndexError):
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def maker(framework: str, net: str, batch: int, small: bool) -> Make:
  """What builds the programs of a framework on a GPU; imports it, and no other."""
  if net == "ceilings":
    return lambda mode: ceiling(mode, small)
  given = work(net, batch, small)
  if framework == "ours":
    return lambda mode: ours(mode, given)
  from benchmarks import peers

  model = peers.model(given.net, small)
  compiled = framework == "torch_compile"
  return lambda mode: peers.make(mode, model, given, compiled)


def ours(mode: str, given: Work) -> tuple[dict[str, Any], Run]:
  """Our train step or forward pass on one device."""
  from jaxnets import memory

  memory.keep_freed()  # as in every run
  import jax
  import jax.numpy as jnp

  from jaxnets import cost, kernels, nets
  from jaxnets.train import mesh as meshes

  device = jax.devices()[0]
  mesh = meshes.make_mesh([device])
  net = nets.build(given.net, classes=given.classes, dtype=given.dtype, **given.fields)
  placed = [
    jax.device_put({"image": image, "label": label.astype(np.int32)}, meshes.split(mesh))
    for image, label in batches(given)
  ]
  form = train_program if mode == "train" else forward_program
  run, params, stats, seconds = form(net, given, placed, mesh)
  run(WARM_UP)
  image = jax.ShapeDtypeStruct((1, given.size, given.size, 3), jnp.float32)
  facts = {
    "device": device.device_kind,
    "platform": device.platform,
    "compile_seconds": seconds,  # with the first step
    "peak_bytes": (device.memory_stats() or {}).get("peak_bytes_in_use"),
    "parameters": nets.count_parameters(params),
    "macs": cost.count_macs(lambda p, s, x: net.apply(p, s, x).logits, params, stats, image),
    "kernels": kernels.describe(),
    "threads": len(os.sched_getaffinity(0)),
  }
  return facts, run


def train_program(net, given: Work, placed: list, mesh):
  """The train step as `run`; shapes of its parameters and statistics; seconds to compile it."""
  import jax

  from jaxnets.train import mesh as meshes
  from jaxnets.train import optim
  from jaxnets.train.state import init_state
  from jaxnets.train.step import jit_step, make_train_step

  schedule = optim.make_schedule("constant", LEARNING_RATE, 1)
  optimiser = optim.make_optimiser("sgd", schedule, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
  everywhere = meshes.replicated(mesh)
  shape = (1, given.size, given.size, 3)
  init = jax.jit(lambda key: init_state(net, optimiser, key, shape), out_shardings=everywhere)
  init_key, key = jax.random.split(jax.random.key(0))
  state, key = init(init_key), jax.device_put(key, everywhere)
  shapes = jax.eval_shape(lambda: (state.params, state.stats))

  def prepare(key, batch):
    del key
    return batch["image"], jax.nn.one_hot(batch["label"], given.classes)

  turn = itertools.cycle(placed)

  def run(steps: int) -> float:
    nonlocal state
    before = None
    for _ in range(steps):
      state, metrics = program(state, next(turn), key)
      if mesh.devices.flat[0].platform == "cpu":  # as in every run: two steps under way at most
        jax.block_until_ready(before)
        before = metrics
    jax.block_until_ready(state)
    return float(metrics["loss"] / metrics["count"])

  start = time.perf_counter()
  step = jit_step(make_train_step(net, optimiser, prepare), mesh)
  program = step.lower(state, placed[0], key).compile()
  run(1)
  return run, *shapes, time.perf_counter() - start


def forward_program(net, given: Work, placed: list, mesh):
  """The forward pass as `run`; its parameters and statistics; seconds to compile it."""
  import jax

  from jaxnets.train import mesh as meshes

  shape = (1, given.size, given.size, 3)
  init = jax.jit(lambda key: net.init(key, shape), out_shardings=meshes.replicated(mesh))
  params, stats = init(jax.random.key(0))
  turn = itertools.cycle(placed)

  def run(steps: int) -> None:
    for _ in range(steps):
      logits = program(params, stats, next(turn)["image"])
      if mesh.devices.flat[0].platform == "cpu":  # as in every evaluation
        jax.block_until_ready(logits)
    jax.block_until_ready(logits)

  start = time.perf_counter()
  forward = jax.jit(lambda params, stats, image: net.apply(params, stats, image).logits)
  program = forward.lower(params, stats, placed[0]["image"]).compile()
  run(1)
  return run, params, stats, time.perf_counter() - start


def ceiling(mode: str, small: bool):
  """The device's rate of copying (bytes read and written) or of bfloat16 multiplication."""
  import jax
  import jax.numpy as jnp

  key, device = jax.random.key(0), jax.devices()[0]
  facts: dict[str, Any] = {"device": device.device_kind}
  if mode == "copy":
    x = jax.random.normal(key, ((2**20 if small else COPY_BYTES) // 4,))
    program = jax.jit(lambda x: x + 1, donate_argnums=0)
    facts["work"] = 2 * x.nbytes

    def run(steps: int) -> None:
      nonlocal x
      for _ in range(steps):
        x = program(x)
      jax.block_until_ready(x)

  else:
    side = 256 if small else MATMUL_SIDE
    a, b = jax.random.normal(key, (2, side, side), jnp.bfloat16)
    product = jax.jit(jnp.matmul)
    facts["work"] = 2 * side**3

    def run(steps: int) -> None:
      for _ in range(steps):
        c = product(a, b)
      jax.block_until_ready(c)

  run(WARM_UP)
  return facts, run
