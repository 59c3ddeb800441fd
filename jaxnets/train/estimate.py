"""What a config costs, from its traced net and gradient: nothing is compiled, run or allocated."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnets import cost, data, kernels, nets
from jaxnets.config import Config
from jaxnets.cost import Layer, roofline
from jaxnets.cost.devices import Device
from jaxnets.cost.field import Field, find_fields
from jaxnets.cost.memory import bytes_of, measure_live
from jaxnets.cost.net import abstract_key, count_net, forward_of
from jaxnets.cost.program import Program, Recorded, read, record
from jaxnets.cost.roofline import Bound
from jaxnets.errors import DataError
from jaxnets.train.experiment import (
  build_optimiser,
  build_schedule,
  check_divisible,
  make_recipe_step,
  name_net,
  recipe_of,
)
from jaxnets.train.state import State, init_state
from jaxnets.train.step import Batch, TrainStep, make_gradient


class Subject(NamedTuple):
  """What is estimated: a config, on images and devices that need not be there."""

  config: Config
  classes: int
  channels: int = 3
  devices: int = 1
  platform: str = "cpu"  # of the devices: "cpu", "cuda" or "tpu"


def subject_of(config: Config, data_dir: str | None, **more: Any) -> Subject:
  """A config on its dataset, which need not be prepared.

  Of a set that is neither here nor known: on colour images with the net's own classes.

  Args:
    config: checked.
    data_dir: where prepared datasets are.
    **more: devices and platform.
  """
  published = nets.variant(config.net.name).classes, 3
  classes, channels = data.SHAPES.get(config.data.name, published)
  with contextlib.suppress(DataError):  # not prepared here
    info = data.info(config.data.name, data_dir)
    classes, channels = len(info.classes), info.channels
  return Subject(config, classes, channels, **more)


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
  state: State  # shapes and types
  forward: cost.Cost  # one image; with the auxiliary heads of a net that has them
  fields: dict[str, Field]  # receptive fields by layer
  field: Field | None  # the largest of one place of a map, before pooling or flattening takes all
  train_macs: int  # one image, forward and backward
  train_elementwise: int
  memory: Memory
  inference: Program  # of one image, in the form of the subject's devices
  gradient: Program  # of the device's images, or of a part of them when gradients accumulate


def estimate(subject: Subject) -> Estimate:
  """Counts, receptive fields and memory of a config's net and step.

  Raises:
    ConfigError: the net does not take such images, or the batch does not divide over the devices.
  """
  check_divisible(subject.config, subject.devices)
  net = name_net(subject.config, subject.classes)
  side = subject.config.data.image_size
  with kernels.assumed("definition"):  # the shapes are those of any form; this is traced fastest
    state = jax.eval_shape(init_of(subject, net), abstract_key())
  with kernels.assumed(kernels.foreseen(subject.platform)):
    one = abstract_images(subject, 1)
    passed = record(forward_of(net), state.params, state.stats, one)
    inference, here = read(*passed), read(*passed, subject.platform)
    forward = cost.of_program(inference)
    found = find_fields(inference, inference.inputs[-1])
    rows = forward.layers
    if net.fields.get("aux"):
      forward = count_net(net, (state.params, state.stats), side, subject.channels, train=True)
    gradient = kept = record_gradient(subject, net, state)
    if (as_run := net_as_run(subject, net)) is not net:
      kept = record_gradient(subject, as_run, state)
  common = read(*gradient)
  macs, elementwise = cost.sums(common)
  return Estimate(
    subject=subject,
    net=net,
    state=state,
    forward=forward,
    fields={row.name: found[row.value] for row in rows if row.value in found},
    field=_field(rows, found),
    train_macs=macs // part_of(subject),
    train_elementwise=elementwise // part_of(subject),
    memory=measure_memory(subject, state, read(*kept, subject.platform), here),
    inference=here,
    gradient=common,
  )


def bound_step(estimate: Estimate, device: Device) -> Bound:
  """No train step is faster on that device; its optimiser is free, which keeps this a bound."""
  parts = estimate.subject.config.train.accumulation
  found = roofline.bound(estimate.gradient, device)
  return found._replace(
    **{key: parts * value for key, value in found._asdict().items() if key.endswith("_seconds")}
  )


def schedule_of(config: Config) -> optax.Schedule:
  """The config's schedule for a run of any length, on which neither shapes nor costs depend."""
  return build_schedule(config, 2 * config.optim.warmup_steps + 1)


def init_of(subject: Subject, net: nets.Net) -> Callable[[jax.Array], State]:
  """key -> the state that a run begins with."""
  config = subject.config
  shape = (1, config.data.image_size, config.data.image_size, subject.channels)
  optimiser = build_optimiser(config, schedule_of(config), recipe_of(config))
  return lambda key: init_state(net, optimiser, key, shape, ema=bool(config.train.ema))


def part_of(subject: Subject) -> int:
  """Images that a device computes at once: its share of the batch, or of a part of that."""
  train = subject.config.train
  return train.batch // subject.devices // train.accumulation


def abstract_batch(subject: Subject, images: int) -> dict[str, jax.ShapeDtypeStruct]:
  """Shapes and types of a batch of so many images."""
  size = subject.config.data.image_size
  return {
    "image": jax.ShapeDtypeStruct((images, size, size, subject.channels), "uint8"),
    "label": jax.ShapeDtypeStruct((images,), "int32"),
  }


def abstract_images(subject: Subject, images: int) -> jax.ShapeDtypeStruct:
  """Shape and type of so many images as the net takes them."""
  size = subject.config.data.image_size
  return jax.ShapeDtypeStruct((images, size, size, subject.channels), "float32")


def make_step(subject: Subject, net: nets.Net) -> TrainStep:
  """The config's train step on images that are only scaled: without augmentation, which is cheap
  beside the net and needs the dataset.
  """
  config = subject.config

  def prepare(key: jax.Array, batch: Batch):
    del key
    images = batch["image"].astype(jnp.float32) / 127.5 - 1
    return images, jax.nn.one_hot(batch["label"], subject.classes)

  step = make_recipe_step(config, net, schedule_of(config), prepare)
  return lambda state, batch, key: step(state, batch, (key, recipe_of(config)))


def record_gradient(subject: Subject, net: nets.Net, state: State) -> Recorded:
  """The gradient of what a device computes at once."""
  part = part_of(subject)
  gradient = make_gradient(net, label_smoothing=subject.config.train.label_smoothing)
  targets = jax.ShapeDtypeStruct((part, subject.classes), "float32")
  labels = jax.ShapeDtypeStruct((part,), "int32")
  images = abstract_images(subject, part)
  return record(gradient, state.params, state.stats, images, targets, labels, abstract_key())


def net_as_run(subject: Subject, net: nets.Net) -> nets.Net:
  """The net whose memory a step needs: XLA keeps what remat computes again where it is a CPU's."""
  if subject.platform != "cpu" or not net.fields.get("remat"):
    return net
  config = subject.config.copy_and_resolve_references()
  config.net.remat = ()
  return name_net(config, subject.classes)


def measure_memory(subject: Subject, state: State, gradient: Program, forward: Program) -> Memory:
  """The memory of a step and of inference.

  Args:
    subject: gives the batch, devices and accumulation.
    state: shapes of the whole state.
    gradient: `record_gradient` in the form of the subject's devices.
    forward: of one image, in the same form.
  """
  part = part_of(subject)
  images = subject.config.train.batch // subject.devices
  params, stats, optimiser, average = (
    _bytes(tree) for tree in (state.params, state.stats, state.opt, state.ema)
  )
  live = measure_live(gradient)
  # With the prepared images and targets, and the sums of gradients that accumulate.
  temporary = live.peak + _bytes(abstract_images(subject, part)) + 4 * part * subject.classes
  if part < images:
    temporary += params + stats
  uint8 = _bytes(abstract_batch(subject, images))
  inference = measure_live(forward, images, forward.inputs[-1]).peak
  return Memory(
    batch=images,
    kernels=kernels.foreseen(subject.platform),
    params=params,
    stats=stats,
    optimiser=optimiser,
    average=average,
    images=uint8,
    kept=live.kept,
    temporary=temporary,
    train=params + stats + optimiser + average + uint8 + temporary,
    forward=params + stats + _bytes(abstract_images(subject, images)) + inference,
  )


def _field(rows: Sequence[Layer], fields: dict[int, Field]) -> Field | None:
  """The largest field of a place of a map; None when the last convolution sees the whole image."""
  convolutions = [row.value for row in rows if row.op.startswith("conv")]
  if not convolutions or fields[convolutions[-1]].whole:
    return None
  finite = [field for field in fields.values() if not field.whole]
  return max(finite, key=lambda field: field.size)


def _bytes(tree: Any) -> int:
  return sum(map(bytes_of, jax.tree.leaves(tree)))
