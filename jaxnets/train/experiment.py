"""A config made into functions, with everything checked that can be checked without compiling."""

import functools
import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxnets import data, kernels, memory, nets
from jaxnets.config import Config, digest, divide, from_json, normalises, program, to_json
from jaxnets.cost.net import abstract_key, count_net, shapes_of
from jaxnets.data.subset import subset, taken
from jaxnets.errors import ConfigError
from jaxnets.instruments import ensemble
from jaxnets.train import mesh as meshes
from jaxnets.train import optim
from jaxnets.train.inputs import make_prepares
from jaxnets.train.pictures import make_picture
from jaxnets.train.probes import make_probe
from jaxnets.train.state import State, init_state
from jaxnets.train.step import (
  Batch,
  Prepare,
  jit_step,
  make_eval_step,
  make_train_step,
  shard_map_step,
)

# Fields of section data that say what is read, not what is done to it on the device.
OF_THE_HOST = ("name", "validation", "images", "scales", "workers")


class Recipe(NamedTuple):
  """The numbers of a config that a compiled step takes as arguments, float32."""

  lr: Any  # peak learning rate
  momentum: Any
  weight_decay: Any
  label_smoothing: Any
  dropout: Any


class Experiment(NamedTuple):
  """A config made into functions: what `fit` and `evaluate` need, nothing of it trained yet."""

  config: Config
  recipe: Recipe
  program: str  # the same for configs that run one compiled step
  info: data.Info
  mesh: jax.sharding.Mesh
  net: nets.Net
  macs: int  # of one image, forward
  steps: int
  schedule: Callable[[int], Any]  # share of the peak learning rate by step
  plateau: Any
  abstract: State  # shapes, types and layout of the state
  init: Callable[[jax.Array], State]
  step: Callable[..., Any]  # (state, batch, (key, recipe)) -> (state, metrics), on one device
  train_step: Callable[..., Any]  # the same, jitted and laid out over the mesh
  eval_step: Callable[..., Any]
  masked_step: Callable[..., Any] | None  # the same for the mean of dropout masks, with eval.masks
  probe: Callable[..., Any]  # what probes.jsonl and pictures.npz say, jitted: `make_probe`
  training: data.Source
  validation: data.Source | None  # None when nothing was carved out
  data_dir: str | None


def build(config: Config, data_dir: str | None = None) -> Experiment:
  """Everything of a config that can be wrong is found here, before anything compiles.

  Configs of one program (`config.program`), built one after the other, share its functions, so
  that these are traced and compiled once.

  Raises:
    ConfigError: batch, image size or schedule do not fit devices, net or each other.
    DataError: the dataset is not there.
  """
  check_divisible(config, len(jax.devices()))
  fingerprint = data.info(config.data.name, data_dir).fingerprint
  shared = _build(json.dumps(to_json(program(config))), data_dir, fingerprint)
  if config.optim.schedule == "plateau" and config.eval.every >= shared.steps:
    raise ConfigError(
      f"eval.every (={config.eval.every}) must be less than the run's {shared.steps} steps with "
      "optim.schedule=plateau, which follows the evaluations"
    )
  net = name_net(config, len(shared.info.classes))  # with its own rate of dropout
  training = shared.training
  if config.data.images:  # of the config's own seed
    training = taken(training, subset(training.labels, config.data.images, config.seed))
  return shared._replace(config=config, recipe=recipe_of(config), net=net, training=training)


def forget() -> None:
  """Lets go of the functions that configs share; the next `build` makes its own."""
  _build.cache_clear()


@functools.lru_cache(maxsize=1)
def _build(text: str, data_dir: str | None, fingerprint: str) -> Experiment:
  """The experiment of `config.program`, given as JSON; other data are another experiment."""
  del fingerprint
  config = from_json(json.loads(text))
  mesh = meshes.make_mesh()
  info = data.info(config.data.name, data_dir)
  size, train = config.data.image_size, config.train
  net = name_net(config, len(info.classes))
  shapes = shapes_of(net, size, info.channels)  # refuses images that are too small
  training = load(config, "train", data_dir)
  validation = load(config, "validation", data_dir) if config.data.validation else None
  count = config.data.images or len(training.labels)
  steps = train.steps or math.ceil(train.epochs * count / train.batch)

  schedule = build_schedule(config, steps)
  recipe = recipe_of(config)
  plateau = build_plateau(config)

  def init(key: jax.Array) -> State:
    shape = (1, size, size, info.channels)
    optimiser = build_optimiser(config, schedule, recipe)
    return init_state(net, optimiser, key, shape, ema=bool(train.ema), plateau=plateau)

  section = {k: v for k, v in config.data.items() if k not in OF_THE_HOST}
  prepare_training, prepare_evaluation = make_prepares(
    training, classes=len(info.classes), **section
  )
  mapped = train.form == "shard_map"
  make_step = functools.partial(make_recipe_step, config, net, schedule, prepare_training)
  step = make_step(
    axis=meshes.DATA if mapped else None,
    parts_sharding=None if mapped else meshes.split_second(mesh),
  )  # fmt: skip
  train_step = shard_map_step(step, mesh) if mapped else jit_step(step, mesh)
  probe = make_probe(
    net, prepare_training, make_step(tells_gradient=True), train.accumulation,
    make_picture(net, prepare_evaluation),
  )  # fmt: skip

  everywhere = meshes.replicated(mesh)
  with kernels.assumed("definition"):
    found = jax.eval_shape(init, abstract_key())
  abstract = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere), found
  )
  check_memory(abstract)
  macs = count_net(net, shapes, size, info.channels).macs
  masks = config.eval.masks
  if masks:
    ensemble.check(net)
  return Experiment(
    config, recipe, digest(config), info, mesh, net, macs, steps, schedule, plateau, abstract,
    lambda key: meshes.replicate(init(key), mesh), make_step(), train_step,
    jax.jit(make_eval_step(net, prepare_evaluation)),
    jax.jit(make_eval_step(net, prepare_evaluation, masks)) if masks else None,
    jax.jit(probe, out_shardings=everywhere), training, validation, data_dir,
  )  # fmt: skip


def make_recipe_step(
  config: Config, net: nets.Net, schedule: optax.Schedule, prepare: Prepare, **more
) -> Callable[..., Any]:
  """(state, batch, (key, recipe)) -> (state, metrics): the train step of all configs of a program.

  `more` is what else `make_train_step` takes: of devices, and of what it tells.
  """
  train = config.train

  def step(state: State, batch: Batch, run: tuple[jax.Array, Recipe]):
    key, recipe = run
    own = make_train_step(
      net, build_optimiser(config, schedule, recipe), prepare, accumulation=train.accumulation,
      label_smoothing=recipe.label_smoothing, dropout=recipe.dropout, ema=train.ema,
      lr_scale=recipe.lr, **more,
    )  # fmt: skip
    return own(state, batch, key)

  return step


def recipe_of(config: Config) -> Recipe:
  """The config's numbers for a compiled step."""
  o = config.optim
  numbers = Recipe(
    lr=optim.peak_rate(o.lr, o.lr_batch, o.lr_scaling, config.train.batch),
    momentum=o.momentum,
    weight_decay=o.weight_decay,
    label_smoothing=config.train.label_smoothing,
    dropout=config.net.get("dropout", 0.0),
  )
  return Recipe(*map(np.float32, numbers))


def build_schedule(config: Config, steps: int) -> optax.Schedule:
  """The share of the peak learning rate by step."""
  o = config.optim
  return optim.make_schedule(
    o.schedule, 1.0, steps, warmup_steps=o.warmup_steps, drops=o.drops,
    drop_factor=o.drop_factor, poly_power=o.poly_power,
  )  # fmt: skip


def build_optimiser(
  config: Config, schedule: optax.Schedule, recipe: Recipe
) -> optax.GradientTransformationExtraArgs:
  """The config's optimiser with the recipe's numbers; its peak rate goes in as `lr_scale`."""
  o = config.optim
  return optim.make_optimiser(
    o.name, schedule, momentum=recipe.momentum, nesterov=o.nesterov,
    lr_in_velocity=o.lr_in_velocity, weight_decay=recipe.weight_decay, decay_mask=o.decay_mask,
    clip_norm=o.clip_norm,
  )  # fmt: skip


def build_plateau(config: Config) -> optax.GradientTransformationExtraArgs | None:
  """What lowers the rate when the validation error stands still; None with other schedules."""
  o = config.optim
  return optim.make_plateau(o.drop_factor, o.patience) if o.schedule == "plateau" else None


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
