"""The paper's CIFAR-10 recipe as numbers, and a net compiled for it."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import packs
from benchmarks.records import say
from jaxnets import nets
from jaxnets.data import Info, Source
from jaxnets.errors import ConfigError
from jaxnets.train import optim
from jaxnets.train.inputs import make_prepares
from jaxnets.train.state import State, evaluated, init_state
from jaxnets.train.step import make_eval_step, make_train_step

Images = tuple[jax.Array, jax.Array]  # uint8 [n, h, w, c] and labels int32 [n], on the device


class Recipe(NamedTuple):
  """The numbers of the paper."""

  steps: int = 64_000
  batch: int = 128
  lr: float = 0.1
  drops: tuple[float, ...] = (0.5, 0.75)
  momentum: float = 0.9
  weight_decay: float = 1e-4
  pad: int = 4
  precision: str = "float32"
  fields: tuple[tuple[str, Any], ...] = ()  # axes of the nets that are not the paper's


class Functions(NamedTuple):
  """A net compiled: for a chunk of steps, and for evaluation."""

  init: Callable[[jax.Array], State]
  chunk: Callable[..., tuple[State, dict[str, jax.Array]]]
  evaluate: Callable[..., dict[str, jax.Array]]
  rate: Callable[[int], Any]
  steps: int  # in a chunk
  compile_seconds: float


def recipe(steps: int, precision: str, small: bool) -> Recipe:
  """The paper's recipe over `steps` steps (0: all of it), or a minute's worth of it."""
  if small:
    tiny = (("depth", 8), ("width", 0.25))
    return Recipe(steps or 4, 32, pad=1, precision=precision, fields=tiny)
  return Recipe(steps or Recipe().steps, precision=precision)


def build(name: str, whole: packs.Set, recipe: Recipe, training: Images) -> Functions:
  """The programs of a net, compiled."""
  images = whole.splits["train"].images
  count, size = len(images), images.shape[1]
  net = nets.build(
    f"cifar_{name}", classes=whole.classes, dtype=recipe.precision, **dict(recipe.fields)
  )
  rate = optim.make_schedule("step", recipe.lr, recipe.steps, drops=recipe.drops)
  optimiser = optim.make_optimiser(
    "sgd", rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
  )
  prepare, prepare_evaluation = make_prepares(
    source(whole), classes=whole.classes, image_size=size, normalise="pixel", crop="pad",
    pad=recipe.pad, flip=True,
    # What the recipe does not use.
    crop_area=(0.08, 1.0), crop_aspect=(0.75, 4 / 3), lighting=0.0, colour=0.0, cutout=0,
    mixup=0.0, cutmix=0.0,
  )  # fmt: skip
  step = make_train_step(net, optimiser, prepare)
  steps = chunk_length(recipe.steps, count / recipe.batch)

  def init(key: jax.Array) -> State:
    return init_state(net, optimiser, key, (1, *images.shape[1:]))

  def chunk(state, images, labels, indices, positions, key):
    def body(state, place):
      rows, position = place
      batch = {"image": images[rows], "label": labels[rows], "position": position}
      return step(state, batch, key)

    return lax.scan(body, state, (indices, positions))

  start = time.monotonic()
  key = jax.random.key(0)
  shape = (steps, recipe.batch)
  program = (
    jax.jit(chunk, donate_argnums=0)
    .lower(
      jax.eval_shape(init, key),
      *training,
      jax.ShapeDtypeStruct(shape, jnp.int32),
      jax.ShapeDtypeStruct(shape, jnp.uint32),
      key,
    )
    .compile()
  )
  seconds = time.monotonic() - start
  say(f"{name}: {steps} steps in a program, compiled in {seconds:.1f} s")
  evaluation = jax.jit(make_eval_step(net, prepare_evaluation))
  return Functions(jax.jit(init), program, evaluation, rate, steps, seconds)


def chunk_length(steps: int, epoch: float) -> int:
  """The divisor of `steps` that is nearest to an epoch; one program then serves all chunks."""
  nearest = min((d for d in range(1, steps + 1) if steps % d == 0), key=lambda d: abs(d - epoch))
  if nearest < min(steps, epoch) / 2:
    raise ConfigError(
      f"--steps (={steps}) has no divisor near an epoch's {epoch:.0f} steps\n"
      f"Nearest: {max(1, round(steps / round(epoch))) * round(epoch)}"
    )
  return nearest


def source(whole: packs.Set) -> Source:
  """The training images as the package knows them; their statistics normalise all roles."""
  images, labels = whole.splits["train"]
  info = Info(
    whole.name, tuple(map(str, range(whole.classes))), {"train": len(images)}, "test",
    images.shape[1], images.shape[3], True, whole.sha256,
  )  # fmt: skip
  return Source(info, "train", labels, images, None)


def evaluate(functions: Functions, state: State, split: Images, batch: int = 1000) -> dict:
  """Error (a fraction) and loss over all images of a role, which lie on the device."""
  images, labels = split
  batch, totals = min(batch, len(labels)), {"loss": 0.0, "top1": 0.0, "count": 0.0}
  for start in range(0, len(labels), batch):
    first = min(start, len(labels) - batch)  # the last batch reaches back; the mask counts once
    rows = {
      "image": lax.dynamic_slice_in_dim(images, first, batch),
      "label": lax.dynamic_slice_in_dim(labels, first, batch),
      "mask": jnp.arange(first, first + batch) >= start,
    }
    sums = functions.evaluate(evaluated(state), state.stats, rows, jax.random.key(0))
    totals = {name: total + float(sums[name]) for name, total in totals.items()}
  assert totals["count"] == len(labels)
  return {
    "loss": totals["loss"] / len(labels),
    "error": 1 - totals["top1"] / len(labels),
    "count": len(labels),
  }


def means(metrics: dict[str, np.ndarray]) -> dict[str, float]:
  """Loss and error over the (augmented) images of a chunk."""
  count = float(metrics["count"].sum(dtype=np.float64))
  return {
    "loss": float(metrics["loss"].sum(dtype=np.float64)) / count,
    "error": 1 - float(metrics["top1"].sum(dtype=np.float64)) / count,
  }
