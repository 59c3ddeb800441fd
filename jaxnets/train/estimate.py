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
from jaxnets.cost.program import Program, read, record, trace
from jaxnets.train.experiment import build_optimiser, check_divisible, name_net
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
  state: State  # shapes and types
  forward: cost.Cost  # one image; with the auxiliary heads of a net that has them
  fields: dict[str, Field]  # receptive fields by layer
  field: Field | None  # the largest of one place of a map, before pooling or flattening takes all
  train_macs: int  # one image, forward and backward
  train_elementwise: int
  memory: Memory
  inference: Program  # of one image
  inference_here: Program  # in the form of the subject's devices
  gradient: Program  # of the device's images, or of a part of them when gradients accumulate


def estimate(subject: Subject) -> Estimate:
  """Counts, receptive fields and memory of a config's net and step.

  Raises:
    ConfigError: the net does not take such images, or the batch does not divide over the devices.
  """
  check_divisible(subject.config, subject.devices)
  with kernels.assumed(kernels.foreseen(subject.platform)):
    net = name_net(subject.config, subject.classes)
    state = abstract_state(subject, net)
    one = _prepared(subject, 1)
    jaxpr, paths = record(forward_of(net), state.params, state.stats, one)
    inference, here = read(jaxpr, paths), read(jaxpr, paths, subject.platform)
    forward = cost.of_program(inference)
    found = find_fields(inference, inference.inputs[-1])
    fields = {row.name: found[row.value] for row in forward.layers if row.value in found}
    if net.fields.get("aux"):
      forward = cost.of(_with_heads(net), state.params, state.stats, one, _key())
    gradient, gradient_here, part = trace_gradient(subject, net, state)
  macs, elementwise = cost.sums(gradient)
  return Estimate(
    subject=subject,
    net=net,
    state=state,
    forward=forward,
    fields=fields,
    field=_largest(found),
    train_macs=macs // part,
    train_elementwise=elementwise // part,
    memory=measure_memory(subject, state, gradient_here, part, here),
    inference=inference,
    inference_here=here,
    gradient=gradient,
  )


def abstract_state(subject: Subject, net: nets.Net) -> State:
  """Shapes and types of the state of a run."""
  config = subject.config
  _, optimiser, _ = build_optimiser(config, max(1000, 2 * config.optim.warmup_steps))
  shape = (1, config.data.image_size, config.data.image_size, subject.channels)
  init = functools.partial(init_state, net, optimiser, shape=shape, ema=bool(config.train.ema))
  return jax.eval_shape(lambda key: init(key=key), _key())


def abstract_batch(subject: Subject, images: int) -> dict[str, jax.ShapeDtypeStruct]:
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


def trace_gradient(subject: Subject, net: nets.Net, state: State) -> tuple[Program, Program, int]:
  """The gradient of one part of the images of a device: in the common form, in the form of the
  subject's devices, and the images in it.
  """
  part = subject.config.train.batch // subject.devices // subject.config.train.accumulation
  gradient = make_gradient(net, label_smoothing=subject.config.train.label_smoothing)
  targets = jax.ShapeDtypeStruct((part, subject.classes), "float32")
  labels = jax.ShapeDtypeStruct((part,), "int32")
  arguments = (state.params, state.stats, _prepared(subject, part), targets, labels, _key())
  jaxpr, paths = record(gradient, *arguments)
  here = read(jaxpr, paths, subject.platform)
  if subject.platform == "cpu" and net.fields.get("remat"):
    # XLA finds that a value is computed twice and keeps it: on CPUs remat saves no memory.
    config = subject.config.copy_and_resolve_references()
    config.net.remat = ()
    keeping = make_gradient(
      name_net(config, subject.classes), label_smoothing=config.train.label_smoothing
    )
    here = trace(keeping, *arguments, platform="cpu")
  return read(jaxpr, paths), here, part


def measure_memory(
  subject: Subject, state: State, gradient: Program, part: int, forward: Program
) -> Memory:
  """The memory of a step and of inference.

  Args:
    subject: gives the batch, devices and accumulation.
    state: shapes of the whole state.
    gradient: of `part` images, in the form of the subject's devices.
    part: images computed at once on a device.
    forward: of one image, in the same form.
  """
  images = subject.config.train.batch // subject.devices
  params, stats, optimiser, average = (
    _bytes(tree) for tree in (state.params, state.stats, state.opt, state.ema)
  )
  live = measure_live(gradient)
  # With the prepared images and targets, and the sums of gradients that accumulate.
  temporary = live.peak + _bytes(_prepared(subject, part)) + 4 * part * subject.classes
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
    forward=params + stats + _bytes(_prepared(subject, images)) + inference,
  )


def _prepared(subject: Subject, images: int) -> jax.ShapeDtypeStruct:
  """Images as the net takes them."""
  size = subject.config.data.image_size
  return jax.ShapeDtypeStruct((images, size, size, subject.channels), "float32")


def _largest(fields: dict[int, Field]) -> Field | None:
  finite = [field for field in fields.values() if not field.whole]
  return max(finite, key=lambda field: field.size, default=None)


def _bytes(tree: Any) -> int:
  return sum(map(bytes_of, jax.tree.leaves(tree)))


def _key() -> jax.ShapeDtypeStruct:
  """The shape of a random key; to make one would start the devices."""
  return jax.eval_shape(lambda: jax.random.key(0))
