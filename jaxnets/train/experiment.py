"""A config made into functions, with everything checked that can be checked without compiling."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from jaxnets import data, kernels, memory, nets
from jaxnets.config import Config, divide, normalises
from jaxnets.cost.net import abstract_key, count_net, shapes_of
from jaxnets.errors import ConfigError
from jaxnets.train import mesh as meshes
from jaxnets.train import optim
from jaxnets.train.inputs import make_prepares
from jaxnets.train.state import State, init_state
from jaxnets.train.step import jit_step, make_eval_step, make_train_step, shard_map_step

# Fields of section data that say what is read, not what is done to it on the device.
OF_THE_HOST = ("name", "validation", "scales", "workers")


class Experiment(NamedTuple):
  """A config made into functions: what `fit` and `evaluate` need, nothing of it trained yet."""

  config: Config
  info: data.Info
  mesh: jax.sharding.Mesh
  net: nets.Net
  macs: int  # of one image, forward
  steps: int
  schedule: Callable[[int], Any]
  plateau: Any
  abstract: State  # shapes, types and layout of the state
  init: Callable[[jax.Array], State]
  train_step: Callable[..., Any]
  eval_step: Callable[..., Any]
  training: data.Source
  validation: data.Source | None  # None when nothing was carved out
  data_dir: str | None


def build(config: Config, data_dir: str | None = None) -> Experiment:
  """Everything of a config that can be wrong is found here, before anything compiles.

  Raises:
    ConfigError: batch, image size or schedule do not fit devices, net or each other.
    DataError: the dataset is not there.
  """
  mesh = meshes.make_mesh()
  check_divisible(config, mesh.size)
  info = data.info(config.data.name, data_dir)
  size, train = config.data.image_size, config.train
  net = name_net(config, len(info.classes))
  shapes = shapes_of(net, size, info.channels)  # refuses images that are too small
  training = load(config, "train", data_dir)
  validation = load(config, "validation", data_dir) if config.data.validation else None
  steps = train.steps or math.ceil(train.epochs * len(training.labels) / train.batch)

  if config.optim.schedule == "plateau" and config.eval.every > steps:
    raise ConfigError(
      f"eval.every (={config.eval.every}) must be less than the run's {steps} steps with "
      "optim.schedule=plateau, which follows the evaluations"
    )

  schedule, optimiser, plateau = build_optimiser(config, steps)

  def init(key: jax.Array) -> State:
    shape = (1, size, size, info.channels)
    return init_state(net, optimiser, key, shape, ema=bool(train.ema), plateau=plateau)

  section = {k: v for k, v in config.data.items() if k not in OF_THE_HOST}
  prepare_training, prepare_evaluation = make_prepares(
    training, classes=len(info.classes), **section
  )
  recipe = {"label_smoothing": train.label_smoothing, "ema": train.ema,
            "accumulation": train.accumulation}  # fmt: skip
  if train.form == "shard_map":
    step = make_train_step(net, optimiser, prepare_training, axis=meshes.DATA, **recipe)
    train_step = shard_map_step(step, mesh)
  else:
    step = make_train_step(
      net, optimiser, prepare_training, parts_sharding=meshes.split_second(mesh), **recipe
    )
    train_step = jit_step(step, mesh)

  everywhere = meshes.replicated(mesh)
  with kernels.assumed("definition"):
    # A function of its own: what is traced here must not be taken for `init` when that is compiled.
    found = jax.eval_shape(lambda key: init(key), abstract_key())
  abstract = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), found
  )
  check_memory(abstract)
  macs = count_net(net, shapes, size, info.channels).macs
  return Experiment(
    config, info, mesh, net, macs, steps, schedule, plateau, abstract,
    jax.jit(init, out_shardings=everywhere), train_step,
    jax.jit(make_eval_step(net, prepare_evaluation)), training, validation, data_dir,
  )  # fmt: skip


def build_optimiser(
  config: Config, steps: int
) -> tuple[Callable[[int], Any], optax.GradientTransformationExtraArgs, Any]:
  """The config's learning rate by step, its optimiser, and its plateau or None."""
  o = config.optim
  peak = optim.peak_rate(o.lr, o.lr_batch, o.lr_scaling, config.train.batch)
  schedule = optim.make_schedule(
    o.schedule, peak, steps, warmup_steps=o.warmup_steps, drops=o.drops,
    drop_factor=o.drop_factor, poly_power=o.poly_power,
  )  # fmt: skip
  optimiser = optim.make_optimiser(
    o.name, schedule, momentum=o.momentum, nesterov=o.nesterov, lr_in_velocity=o.lr_in_velocity,
    weight_decay=o.weight_decay, decay_mask=o.decay_mask, clip_norm=o.clip_norm,
  )  # fmt: skip
  plateau = optim.make_plateau(o.drop_factor, o.patience) if o.schedule == "plateau" else None
  return schedule, optimiser, plateau


def load(config: Config, split: str, data_dir: str | None) -> data.Source:
  """The images of a role: "train", "validation" or "test"."""
  return data.load(
    config.data.name,
    split,
    data_dir=data_dir,
    validation=config.data.validation,
    image_size=config.data.image_size,
  )


def name_net(config: Config, classes: int) -> nets.Net:
  """The config's net, not traced yet."""
  axes, train = config.net.to_dict(), config.train
  name = axes.pop("name")
  return nets.build(
    name, classes=classes, dtype=train.precision, norm_group=train.norm_group, **axes
  )


def check_memory(abstract: State) -> None:
  """Refuses a state that the machine's memory cannot hold; XLA would wait for it for ever."""
  needed = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(abstract))
  there = memory.there()
  if needed > there:
    raise ConfigError(
      f"parameters and optimiser state need {needed / 2**30:,.0f} GiB, but this machine has "
      f"{there / 2**30:,.0f} GiB\nTry a smaller net.width, data.image_size, or net.head=gap"
    )


def check_divisible(config: Config, devices: int) -> None:
  """Refuses a batch that does not split evenly over devices and parts."""
  train = config.train
  part = devices * train.accumulation
  by = "devices" if train.accumulation == 1 else "devices x train.accumulation"
  if train.batch % part:
    raise ConfigError(divide("train.batch", train.batch, by, part))
  if train.form == "shard_map" and normalises(config):
    local = train.batch // part
    group = train.norm_group or train.batch
    if local % group:
      raise ConfigError(
        f"train.norm_group (={group}) must divide the images of a device (={local}) with "
        f"train.form=shard_map; nearest: {local}"
      )
