"""One framework in a process of its own, which computes only when it is told to.

On standard input, one command a line; each is answered by a line of JSON on standard output:

  build MODE       compiles and warms up; -> facts
  go MODE STEPS    runs that many steps; -> {"seconds": ...}, {"loss": ...} where there is one

MODE is train or infer, or of the net "ceilings" copy or matmul. The process ends with its input.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

# mode -> its facts, and the function that runs so many steps and returns the last loss
Make = Callable[[str], tuple[dict[str, Any], Callable[[int], float | None]]]

BATCHES = 4  # taken in turn, so that no cache holds the input
LEARNING_RATE = 1e-3  # small: the labels are random, and the numbers shall stay finite
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


def work(net: str, batch: int, small: bool) -> Work:
  """The published net on 224 px, or a tiny one."""
  if small:
    return Work(net, {"widths": (8, 16), "units": (1, 1), "stem_width": 8}, 32, batch, 10)
  return Work(net, {}, 224, batch, 1000)


def serve(framework: str, net: str, batch: int, small: bool) -> int:
  """Answers commands until standard input ends."""
  # Whatever a library prints must not meet the answers.
  answers = os.fdopen(os.dup(1), "w")
  os.dup2(2, 1)
  make, runs = maker(framework, net, batch, small), {}
  for line in sys.stdin:
    command, mode, *count = line.split()
    try:
      if command == "build":
        facts, runs[mode] = make(mode)
        answer = facts
      else:
        start = time.perf_counter()
        loss = runs[mode](int(count[0]))
        answer = {"seconds": time.perf_counter() - start, "loss": loss}
    except Exception as error:  # the one who asked decides
      text = f"{type(error).__name__}: {error}"
      full = "RESOURCE_EXHAUSTED" in text or "OutOfMemory" in text
      answer = {"error": text[:500], "out_of_memory": full}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
  return 0


def maker(framework: str, net: str, batch: int, small: bool) -> Make:
  """What builds the programs of a framework; imports it, and no other."""
  if net == "ceilings":
    return lambda mode: ceiling(mode, small)
  given = work(net, batch, small)
  if framework == "ours":
    return lambda mode: ours(mode, given)
  from benchmarks import peers

  model = peers.model(given.net, small)
  compiled = framework == "torch_compile"
  return lambda mode: peers.make(mode, model, given, compiled)


def ours(mode: str, given: Work):
  """Our train step or forward pass in bfloat16, on one device."""
  import jax
  import jax.numpy as jnp

  from jaxnets import cost, nets
  from jaxnets.train import mesh as meshes
  from jaxnets.train import optim
  from jaxnets.train.state import init_state
  from jaxnets.train.step import jit_step, make_train_step

  device = jax.devices()[0]
  mesh = meshes.make_mesh([device])
  net = nets.build(given.net, classes=given.classes, dtype="bfloat16", **given.fields)
  schedule = optim.make_schedule("constant", LEARNING_RATE, 1)
  optimiser = optim.make_optimiser("sgd", schedule, momentum=0.9, weight_decay=1e-4)
  shape = (given.batch, given.size, given.size, 3)
  init_key, image_key, label_key, key = jax.random.split(jax.random.key(0), 4)
  init = jax.jit(
    lambda key: init_state(net, optimiser, key, (1, *shape[1:])),
    out_shardings=meshes.replicated(mesh),
  )
  state = init(init_key)

  def draw(number):
    label = jax.random.fold_in(label_key, number)
    return {
      "image": jax.random.normal(jax.random.fold_in(image_key, number), shape),
      "label": jax.random.randint(label, shape[:1], 0, given.classes),
    }

  batches = [jax.jit(draw, out_shardings=meshes.split(mesh))(i) for i in range(BATCHES)]
  key = jax.device_put(key, meshes.replicated(mesh))

  def prepare(key, batch):
    del key
    return batch["image"], jax.nn.one_hot(batch["label"], given.classes)

  start = time.perf_counter()
  if mode == "train":
    step = jit_step(make_train_step(net, optimiser, prepare), mesh)
    program = step.lower(state, batches[0], key).compile()
  else:
    forward = jax.jit(lambda params, stats, image: net.apply(params, stats, image).logits)
    program = forward.lower(state.params, state.stats, batches[0]["image"]).compile()
  seconds = time.perf_counter() - start

  def train(steps: int) -> float:
    nonlocal state
    for i in range(steps):
      state, metrics = program(state, batches[i % BATCHES], key)
    jax.block_until_ready(state)
    return float(metrics["loss"] / metrics["count"])

  def infer(steps: int) -> None:
    for i in range(steps):
      logits = program(state.params, state.stats, batches[i % BATCHES]["image"])
    jax.block_until_ready(logits)

  run = train if mode == "train" else infer
  run(WARM_UP)
  image = jax.ShapeDtypeStruct((1, *shape[1:]), jnp.float32)
  facts = {
    "device": device.device_kind,
    "platform": device.platform,
    "compile_seconds": seconds,
    "peak_bytes": (device.memory_stats() or {}).get("peak_bytes_in_use"),
    "parameters": nets.count_parameters(state.params),
    "macs": cost.count_macs(
      lambda p, s, x: net.apply(p, s, x).logits, state.params, state.stats, image
    ),
  }
  return facts, run


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
