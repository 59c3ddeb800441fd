"""What is told of speed: of GoogLeNet against VGG, and of accuracy for what it costs."""

import functools
import math
from collections.abc import Callable
from typing import Any

from jaxnets.claims.measures import MACS, PARAMS, TEST_ERROR, Measure
from jaxnets.claims.papers import ALEXNET, GOOGLENET, RESNET, VGG
from jaxnets.claims.recipes import alexnet, coarse, recipe
from jaxnets.claims.study import Arm, Claim, Contrast, Numbers, Overrides, Size, Study, Trial


def _counted(name: str, values_in: str = "") -> Measure:
  return Measure(name, lambda run: None, "times", exact=True, values_in=values_in)


TRAINING = Measure("time of a train step", lambda run: None, "times", values_in="s")
INFERENCE = Measure("time of a forward pass", lambda run: None, "times", values_in="s")
WEIGHTS, MEMORY = _counted("parameters"), _counted("memory of a compiled train step", "bytes")
# By what is said: the name of a net, and what is changed of it.
NETS: dict[str, tuple[str, dict[str, Any]]] = {
  "GoogLeNet": ("googlenet", {}),
  "VGG-16": ("vgg16", {}),
  "without reductions": ("googlenet", {"reduction": False}),
}
BATCH = {"cpu": 2, "laptop": 2, "gpu": 64, "pod": 64}
SIDE, ROUNDS = 224, 2


@functools.cache
def _compiled(said: str, batch: int) -> tuple[Callable[[], Any], Callable[[], Any], float, float]:
  """A train step and a forward pass on random images; logarithms of parameters and of bytes."""
  import jax
  import jax.numpy as jnp

  from jaxnets import nets

  name, changed = NETS[said]
  net = nets.build(name, **changed)
  shape = (batch, SIDE, SIDE, 3)
  params, stats = net.init(jax.random.key(0), shape)
  images = jax.random.normal(jax.random.key(1), shape)
  key = jax.random.key(2)

  def loss(params: Any) -> jax.Array:
    logits = net.apply(params, stats, images, train=True, key=key).logits
    return -jax.nn.log_softmax(logits)[:, 0].mean()

  def step(params: Any) -> Any:
    return jax.tree.map(lambda p, g: p - 1e-4 * g, params, jax.grad(loss)(params))

  compiled = jax.jit(step).lower(params).compile()
  forward = jax.jit(lambda params: net.apply(params, stats, images).logits)
  found = compiled.memory_analysis()
  assert found is not None
  memory = found.temp_size_in_bytes + found.argument_size_in_bytes + found.output_size_in_bytes
  count = sum(jnp.size(x) for x in jax.tree.leaves(params))
  jax.block_until_ready((compiled(params), forward(params)))  # the first of each is another matter
  return lambda: compiled(params), lambda: forward(params), math.log(count), math.log(memory)


def _times(batch: int, seed: int) -> Numbers:
  """Logarithms of the least seconds of each net, in turns: what is beside slows both alike."""
  from jaxnets.cost.timing import least_in_turns

  del seed  # a repetition
  found = {said: _compiled(said, batch) for said in NETS}
  runs = {(measure.name, name): run for name, (step, forward, *_) in found.items()
          for measure, run in ((TRAINING, step), (INFERENCE, forward))}  # fmt: skip
  logs = {TRAINING.name: {}, INFERENCE.name: {}}
  for (measure, name), least in least_in_turns(runs, ROUNDS).items():
    logs[measure][name] = math.log(least)
  counts = {WEIGHTS.name: {n: own[2] for n, own in found.items()},
            MEMORY.name: {n: own[3] for n, own in found.items()}}  # fmt: skip
  return logs | counts


def _throughput(size: Size) -> Trial:
  batch = BATCH[size]
  return Trial(
    functools.partial(_times, batch),
    {"nets": NETS, "batch": batch, "side": SIDE, "rounds": ROUNDS},
    (
      Contrast("a train step of VGG-16 takes three times as long", "GoogLeNet", "VGG-16", TRAINING,
               math.log(3)),
      Contrast("a forward pass of VGG-16 takes three times as long", "GoogLeNet", "VGG-16",
               INFERENCE, math.log(3)),
      Contrast("VGG-16 has fifteen times the parameters", "GoogLeNet", "VGG-16", WEIGHTS,
               math.log(15)),
      Contrast("a train step of VGG-16 takes more memory", "GoogLeNet", "VGG-16", MEMORY),
      Contrast("a train step without reductions takes longer", "GoogLeNet", "without reductions",
               TRAINING),
      Contrast("and a forward pass, too", "GoogLeNet", "without reductions", INFERENCE),
    ),
    note=f"a step of plain gradient descent; published nets of 1,000 classes on {batch} images of "
    f"{SIDE} px, without auxiliary heads; memory as the compiler lays it out",
    timed=True,
  )  # fmt: skip


def _families(size: Size) -> dict[str, Overrides]:
  """The four architectures with batch norm where their authors or successors have it."""
  if size == "pod":
    names = {"AlexNet": "alexnet_owt", "VGG": "vgg16_bn", "GoogLeNet": "googlenet_bn",
             "ResNet": "resnet50"}  # fmt: skip
    return {family: {"net.name": name} for family, name in names.items()}
  small: Overrides = {"net.stem": "small", "net.dropout": 0.0}  # the runs are short
  widths = (48, 96, 192) if size == "cpu" else (64, 128, 256)
  stages = {"net.widths": widths, "net.units": (2, 2, 2), "net.hidden": 512}
  return {
    "AlexNet": alexnet(size) | {"net.dropout": 0.0},
    "VGG": {"net.name": "vgg11_bn"} | stages | small,
    "GoogLeNet": {"net.name": "googlenet_bn", "net.depth": 10, "net.width": 0.25} | small,
    "ResNet": {"net.name": "cifar_resnet20"},
  }  # fmt: skip


def _trade_off(size: Size) -> Study:
  nets = _families(size)
  rates = ({"optim.lr": 0.1}, {"optim.lr": 0.01})  # without norm a net may not stand the larger
  return Study(
    recipe(size, "resnet50" if size == "pod" else "cifar_resnet20"),
    {name: Arm(overrides, rates) for name, overrides in nets.items()},
    (
      Contrast("VGG costs more multiply-adds than ResNet", "ResNet", "VGG", MACS),
      Contrast("VGG makes more errors than ResNet", "ResNet", "VGG", TEST_ERROR),
      Contrast("AlexNet has more parameters than GoogLeNet", "GoogLeNet", "AlexNet", PARAMS),
      Contrast("AlexNet makes more errors than GoogLeNet", "GoogLeNet", "AlexNet", TEST_ERROR),
    ),
    note="the published AlexNet has the fewest multiply-adds of the four, so that no "
    "net dominates it there however bad it is; launch.py board has all costs. " + coarse(size),
  )


CLAIMS = (
  Claim(
    "C12",
    "GoogLeNet is much faster and leaner than VGG",
    f"{GOOGLENET}, sections 1 and 5; {VGG}, section 4.5",
    "GoogLeNet has 12 times fewer parameters than AlexNet, and a budget of 1.5 billion "
    "multiply-adds; no time is compared with VGG's.",
    "VGG-16 takes at least three times as long for a train step and for a forward pass, has at "
    "least fifteen times the parameters, and takes more memory; GoogLeNet without its 1x1 "
    "reductions takes longer, too.",
    "9.8 times the multiply-adds, 19.8 times the parameters, counted",
    _throughput,
  ),
  Claim(
    "C21",
    "Networks had increasingly better accuracy for what they cost",
    f"{ALEXNET}; {VGG}, section 4.5; {GOOGLENET}, section 7; {RESNET}, section 4.1",
    "The papers' numbers mix protocols: single views, ten or 144 crops, and ensembles. Single VGG "
    "nets beat a single GoogLeNet; ResNet-152 beats both at less than VGG's multiply-adds.",
    "In one recipe but for the rate, the better of two for each, ResNet beats VGG with fewer "
    "multiply-adds, and GoogLeNet beats AlexNet with fewer parameters.",
    "ImageNet, single crop, top-1 accuracy at billions of multiply-adds: AlexNet 56.5 at 0.71, "
    "GoogLeNet 69.8 at 1.5, VGG-16 71.6 at 15.5, ResNet-50 76.1 at 4.1",
    _trade_off,
    '"Each beat the one before", by top-5 test errors of 16.4, 7.3, 6.67 and 3.57 %: these are '
    "ensembles of five, seven, seven and six nets under different protocols. Of single nets VGG's "
    "7.0 % beat GoogLeNet's 7.9 % (VGG, section 4.5).",
  ),
)
