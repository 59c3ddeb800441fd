"""What a config costs, from its traced net and gradient: nothing is compiled, run or allocated."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import cost, kernels, nets
from jaxnets.config import Config
from jaxnets.cost.field import Field, find_fields
from jaxnets.cost.memory import bytes_of, measure_live
from jaxnets.cost.program import Program, read, trace
from jaxnets.train.experiment import build_net, build_optimiser, check_divisible
from jaxnets.train.state import State, init_state
from jaxnets.train.step import Batch, TrainStep, make_gradient, make_train_step


class Subject(NamedTuple):
  """What is estimated: a config, on images and devices that need not be there."""

  config: Config
  classes: int
  channels: int = 3
  devices: int = 1
  platform: str = "cpu"  # of the devices: "cpu", "cuda" or "tpu"


class Memory(NamedTuple):
  """Bytes on one device. The state is whole on each, the batch is divided."""

  batch: int  # images on the device
  kernels: str  # form of the operations
  params: int
  stats: int  # running averages of batch norm
  optimiser: int
  average: int  # of the parameters
  images: int  # the batch as it comes, with its labels
  kept: int  # what the forward pass leaves for the backward pass
  temporary: int  # peak of all that a step makes on its way, with that and the gradients
  train: int  # peak of a train step: state, images, temporary
  forward: int  # peak of inference on as many images: parameters, averages, images, temporary


class Estimate(NamedTuple):
  """What a config costs."""

  subject: Subject
  net: nets.Net
  forward: cost.Cost  # one image; with the auxiliary heads of a net that has them
  fields: dict[str, Field]  # receptive fields by layer
  field: Field | None  # the largest of one place of a map, before pooling or flattening takes all
  train_macs: int  # one image, forward and backward
  train_elementwise: int
  memory: Memory
  inference: Program  # of the device's images
  gradient: Program  # of the device's images, or of a part of them when gradients accumulate


def estimate(subject: Subject) -> Estimate:
  """Counts, receptive fields and memory of a config's net and step.

  Raises:
    ConfigError: the net does not take such images, or the batch does not divide over the devices.
  """
  config, size = subject.config, subject.config.data.image_size
  check_divisible(config, subject.devices)
  form = kernels.foreseen(subject.platform)
  with kernels.assumed(form):
    net = build_net(config, subject.classes, size, subject.channels)
    state = abstract_state(subject, net)
    one = jax.ShapeDtypeStruct((1, size, size, subject.channels), "float32")
    inference = trace(forward_of(net), state.params, state.stats, one)
    forward = cost.of_program(inference)
    found = find_fields(inference, inference.inputs[-1])
    fields = {row.name: found[row.value] for row in forward.layers if row.value in found}
    if net.fields.get("aux"):
      forward = cost.of(_with_heads(net), state.params, state.stats, one, _key())
    return Estimate(
      subject=subject,
      net=net,
      forward=forward,
      fields=fields,
      field=_largest(found),
      **_training(subject, net, state, form),
    )


def abstract_state(subject: Subject, net: nets.Net) -> State:
  """Shapes and types of the state of a run."""
  config = subject.config
  _, optimiser, _ = build_optimiser(config, max(1000, 2 * config.optim.warmup_steps))
  shape = (1, config.data.image_size, config.data.image_size, subject.channels)
  init = functools.partial(init_state, net, optimiser, shape=shape, ema=bool(config.train.ema))
  return jax.eval_shape(lambda key: init(key=key), _key())


def abstract_batch(subject: Subject, images: int) -> Batch:
  """Shapes and types of a batch of so many images."""
  size = subject.config.data.image_size
  return {
    "image": jax.ShapeDtypeStruct((images, size, size, subject.channels), "uint8"),
    "label": jax.ShapeDtypeStruct((images,), "int32"),
  }


def make_step(subject: Subject, net: nets.Net) -> TrainStep:
  """The config's train step on images that are only scaled: without augmentation, which is cheap
  beside the net and needs the dataset.
  """
  config = subject.config
  _, optimiser, _ = build_optimiser(config, max(1000, 2 * config.optim.warmup_steps))

  def prepare(key: jax.Array, batch: Batch):
    del key
    images = batch["image"].astype(jnp.float32) / 127.5 - 1
    return images, jax.nn.one_hot(batch["label"], subject.classes)

  return make_train_step(
    net,
    optimiser,
    prepare,
    accumulation=config.train.accumulation,
    label_smoothing=config.train.label_smoothing,
    ema=config.train.ema,
  )


def forward_of(net: nets.Net) -> Callable[..., jax.Array]:
  """(params, stats, images) -> logits, at inference."""
  return lambda params, stats, images: net.apply(params, stats, images).logits


def _with_heads(net: nets.Net) -> Callable[..., Any]:
  def forward(params, stats, images, key):
    output = net.apply(params, stats, images, train=True, key=key)
    return output.logits, output.aux

  return forward


def _training(subject: Subject, net: nets.Net, state: State, form: str) -> dict[str, Any]:
  """The fields of an `Estimate` that need the gradient or the batch."""
  config, size = subject.config, subject.config.data.image_size
  images = config.train.batch // subject.devices
  part = images // config.train.accumulation

  def batch_of(number: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((number, size, size, subject.channels), "float32")

  targets = jax.ShapeDtypeStruct((part, subject.classes), "float32")
  labels = jax.ShapeDtypeStruct((part,), "int32")
  gradient = make_gradient(net, label_smoothing=config.train.label_smoothing)
  arguments = (state.params, state.stats, batch_of(part), targets, labels, _key())
  jaxpr = jax.make_jaxpr(gradient)(*arguments)
  counts = cost.of_program(read(jaxpr), None)
  here = read(jaxpr, platform=subject.platform)
  inference = trace(
    forward_of(net), state.params, state.stats, batch_of(images), platform=subject.platform
  )

  params, stats, optimiser, average = (
    _bytes(tree) for tree in (state.params, state.stats, state.opt, state.ema)
  )
  live = measure_live(here)
  # The prepared images and targets; the sums of the gradients when they accumulate.
  temporary = live.peak + _bytes((batch_of(images), targets))
  if config.train.accumulation > 1:
    temporary += params + stats
  uint8 = _bytes(abstract_batch(subject, images))
  memory = Memory(
    batch=images,
    kernels=form,
    params=params,
    stats=stats,
    optimiser=optimiser,
    average=average,
    images=uint8,
    kept=live.kept,
    temporary=temporary,
    train=params + stats + optimiser + average + uint8 + temporary,
    forward=params + stats + _bytes(batch_of(images)) + measure_live(inference).peak,
  )
  return {
    "train_macs": counts.macs // part,
    "train_elementwise": counts.elementwise // part,
    "memory": memory,
    "inference": inference,
    "gradient": here,
  }


def _largest(fields: dict[int, Field]) -> Field | None:
  finite = [field for field in fields.values() if not field.whole]
  return max(finite, key=lambda field: field.size, default=None)


def _bytes(tree: Any) -> int:
  return sum(map(bytes_of, jax.tree.leaves(tree)))


def _key() -> jax.ShapeDtypeStruct:
  """The shape of a random key; to make one would start the devices."""
  return jax.eval_shape(lambda: jax.random.key(0))
