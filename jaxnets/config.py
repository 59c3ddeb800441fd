"""Experiment configs: their fields, checks, identity, and how a file becomes one.

A config is a locked `ConfigDict` of numbers, strings and tuples in the sections net, data, optim,
train, eval and the seed. `FIELDS` is the one home of defaults, meanings and legal values; the axes
of section net come from `jaxnets.nets.axes`. No JAX here.
"""

import hashlib
import importlib.util
import inspect
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxnets import nets
from jaxnets.errors import ConfigError, did_you_mean


class Field(NamedTuple):
  """A config field: default, meaning with its unit, and what it may be."""

  default: Any
  meaning: str
  choices: tuple[str, ...] = ()
  low: float = -math.inf
  high: float = math.inf


FIELDS: dict[str, Field] = {
  "data.name": Field("digits", "dataset; all of them: launch.py list data"),
  "data.image_size": Field(32, "side of the images the net gets, px", low=1),
  "data.validation": Field(0.1, "share of the training images carved out for validation", (), 0, 0.9),
  "data.normalise": Field("channel", "mean and deviation per channel, or the mean image", ("channel", "pixel")),
  "data.crop": Field("none", "training crop", ("none", "pad", "random_resized", "scale_jitter", "fixed")),
  "data.pad": Field(4, "crop=pad: zeros on each side before the crop, px", low=0),
  "data.crop_area": Field((0.08, 1.0), "crop=random_resized: share of the image's area"),
  "data.crop_aspect": Field((0.75, 4 / 3), "crop=random_resized: width / height"),
  "data.scales": Field((256, 480), "crop=scale_jitter or fixed: short side, from and to, px"),
  "data.flip": Field(False, "flip training images left to right, half of the time"),
  "data.lighting": Field(0.0, "deviation of AlexNet's PCA colour shift; 0 is off", low=0),
  "data.colour": Field(0.0, "strength of brightness, contrast, saturation jitter; 0 is off", (), 0, 1),
  "data.cutout": Field(0, "side of the square that is blanked, px; 0 is off", low=0),
  "data.mixup": Field(0.0, "mixup's alpha; 0 is off", low=0),
  "data.cutmix": Field(0.0, "cutmix's alpha; 0 is off", low=0),
  "data.workers": Field(0, "processes that decode images of sets too large for memory", low=0),
  "optim.name": Field("sgd", "optimiser", ("sgd", "lars", "lamb", "adamw")),
  "optim.lr": Field(0.1, "peak learning rate for a batch of optim.lr_batch", low=0),
  "optim.lr_batch": Field(128, "batch that optim.lr is stated for", low=1),
  "optim.lr_scaling": Field("linear", "how lr follows the batch", ("linear", "sqrt", "none")),
  "optim.momentum": Field(0.9, "of SGD and LARS", (), 0, 1),
  "optim.nesterov": Field(False, "Nesterov's momentum"),
  "optim.lr_in_velocity": Field(False, "v = m v - lr g (AlexNet, Caffe), not lr (m v + g)"),
  "optim.weight_decay": Field(1e-4, "L2 factor; decoupled for adamw and lamb", low=0),
  "optim.decay_mask": Field("all", "what decays: all parameters, or kernels only", ("all", "kernels")),
  "optim.schedule": Field("cosine", "of the learning rate", ("constant", "step", "cosine", "poly", "plateau")),
  "optim.warmup_steps": Field(0, "steps of linear warm-up from 0", low=0),
  "optim.drops": Field((0.5, 0.75), "schedule=step: shares of the run after which lr drops"),
  "optim.drop_factor": Field(0.1, "schedule=step or plateau: lr is multiplied by this", (), 0, 1),
  "optim.poly_power": Field(2.0, "schedule=poly: lr (1 - step / steps) ^ power", low=0),
  "optim.patience": Field(5, "schedule=plateau: evaluations without a better validation error", low=1),
  "optim.clip_norm": Field(0.0, "largest norm of the gradient; 0 is off", low=0),
  "train.batch": Field(128, "images per step, over all devices", low=1),
  "train.steps": Field(0, "length of the run, steps; 0: given in epochs", low=0),
  "train.epochs": Field(0.0, "length of the run, passes over the training images; 0: in steps", low=0),
  "train.accumulation": Field(1, "parts that a batch is computed in, one after the other", low=1),
  "train.norm_group": Field(0, "images per batch-norm statistics group; 0: the whole batch", low=0),
  "train.precision": Field("float32", "of the computation", ("float32", "bfloat16")),
  "train.form": Field("jit", "one program over all devices, or one per device", ("jit", "shard_map")),
  "train.label_smoothing": Field(0.0, "share of the label spread over all classes", (), 0, 0.99),
  "train.ema": Field(0.0, "decay of the average of the parameters that is evaluated; 0 is off", (), 0, 0.999999),
  "train.log_every": Field(50, "steps between rows of metrics.jsonl", low=1),
  "train.checkpoint_every": Field(500, "steps between checkpoints", low=1),
  "train.keep": Field(2, "checkpoints kept", low=1),
  "eval.batch": Field(500, "images per evaluation step", low=1),
  "eval.every": Field(500, "steps between evaluations on the validation images", low=1),
  "eval.scale": Field(256 / 224, "short side / crop of photos before the centre crop", (), 1, 4),
  "seed": Field(0, "of initialisation, data order, augmentation and dropout", low=0),
}  # fmt: skip


def base(net: str, data: str = "digits", **axes) -> ConfigDict:
  """The default config for a net and a dataset; `axes` are axes of the net.

  It is locked: an experiment file completes it, `c.train.steps = 64_000`, and returns it; a field
  that does not exist is an error there too.
  """
  config = _section({"net": _section({"name": net, **nets.resolve(net, axes)})})
  for name in ("data", "optim", "train", "eval"):
    config[name] = _section({})
  for key, field in FIELDS.items():
    _put(config, key, field.default)
  config.data.name = data
  config.data.image_size = nets.variant(net).image_size
  return config.lock()


def read_arg(arg: str, choices: Iterable[str] = ()) -> tuple[str, bool]:
  """Splits an experiment's argument, such as "resnet20,runlocal".

  Returns:
    The choice (the first of `choices` when none is named) and whether `runlocal` was asked for.

  Raises:
    ConfigError: for any other word.
  """
  choices = tuple(choices)
  words = [w for w in arg.split(",") if w]
  runlocal = "runlocal" in words
  chosen = [w for w in words if w != "runlocal"]
  for word in chosen:
    if word not in choices:
      raise ConfigError(
        f'takes no argument "{word}".{did_you_mean(word, (*choices, "runlocal"))}\n'
        f"Choices: {' '.join((*choices, 'runlocal'))}"
      )
  if len(chosen) > 1:
    raise ConfigError(f"takes one of its choices, not {' and '.join(chosen)}")
  return (chosen[0] if chosen else choices[0] if choices else ""), runlocal


def run_locally(config: ConfigDict, image_size: int = 28) -> ConfigDict:
  """Shrinks an experiment to one CPU and under two minutes, for its `runlocal`.

  The embedded digits, an eighth of the width, 40 steps: it shows that everything works, not what
  the experiment asks. The recipe keeps its shape.
  """
  config.data.name = "digits"
  config.data.image_size = image_size
  config.data.crop = "none" if config.data.crop == "none" else "pad"
  config.data.pad = 1
  config.data.flip = False
  config.data.lighting = 0.0  # of colours, which the digits have not
  config.data.validation = 0.1
  config.net.width = 0.125
  if "stem" in config.net:
    config.net.stem = "small"
  config.optim.lr_batch = config.train.batch = 32
  config.optim.lr = min(config.optim.lr, 0.05)
  config.optim.warmup_steps = min(config.optim.warmup_steps, 10)
  config.train.steps, config.train.epochs = 40, 0.0
  config.train.log_every = 10
  config.train.checkpoint_every = config.eval.every = 20
  return config


def load(spec: str, overrides: Mapping[str, Any] | None = None) -> ConfigDict:
  """The locked config of an experiment file, "experiments/f.py" or "experiments/f.py:argument".

  Args:
    spec: path of the file, which is executed, and its argument.
    overrides: dotted keys and values, {"net.depth": 56}.

  Raises:
    ConfigError: no such file, no `get_config`, an argument or a key that it does not know.
  """
  config = execute(spec)
  overrides = dict(overrides or {})
  rename_net(config, overrides.pop("net.name", config.net.name))
  for key, value in overrides.items():
    override(config, key, value)
  settle(config, overrides)
  check(config)
  return config


def execute(spec: str) -> ConfigDict:
  """The config that the experiment file returns for its argument, locked, not yet checked."""
  name, _, arg = spec.partition(":")
  path = Path(name)
  if not path.is_file():
    near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.py")])
    raise ConfigError(f'cannot find config "{name}".{near}')
  module_spec = importlib.util.spec_from_file_location(f"experiment_{path.stem}", path)
  assert module_spec is not None and module_spec.loader is not None
  module = importlib.util.module_from_spec(module_spec)
  try:
    module_spec.loader.exec_module(module)
    get_config = module.get_config
    takes_arg = bool(inspect.signature(get_config).parameters)
    if arg and not takes_arg:
      raise ConfigError(f'takes no argument "{arg}"')
    config = get_config(arg) if takes_arg else get_config()
  except (AttributeError, TypeError) as error:
    raise ConfigError(f"{name}: {error}") from error
  except ConfigError as error:
    raise ConfigError(f"{name} {error}") from error
  except (SyntaxError, ImportError) as error:
    raise ConfigError(f"{name} cannot be read: {error}") from error
  return config.lock()


def override(config: ConfigDict, key: str, value: Any) -> None:
  """Sets a dotted key to a value of the type it has; ConfigError otherwise."""
  known = flatten(config)
  if key not in known:
    raise ConfigError(f'config has no field "{key}".{did_you_mean(key, known)}')
  now = known[key]
  if isinstance(now, float) and isinstance(value, int) and not isinstance(value, bool):
    value = float(value)
  if isinstance(now, tuple) and isinstance(value, list):
    value = tuple(value)
  if type(value) is not type(now):
    raise ConfigError(f"{key} (={value!r}) must be {type(now).__name__}, as in {now!r}")
  _put(config, key, value)


def rename_net(config: ConfigDict, name: str) -> None:
  """Makes `name` the config's net, with that net's own axes; those of the net before are gone."""
  if name != config.net.name:
    with config.unlocked():
      config.net = _section({"name": name, **nets.axes(name)})


def settle(config: ConfigDict, overridden: Iterable[str]) -> None:
  """Lets an override win where two fields say one thing: a run's length in steps or in epochs."""
  overridden = set(overridden)
  train = config.train
  if "train.epochs" in overridden and "train.steps" not in overridden:
    train.steps = 0
  if "train.steps" in overridden and "train.epochs" not in overridden:
    train.epochs = 0.0


def check(config: ConfigDict) -> None:
  """Refuses values that cannot be meant, before anything is loaded or compiled.

  Raises:
    ConfigError: naming the field, what it is and what it may be.
  """
  for key, value in flatten(config).items():
    if key in FIELDS:
      check_field(key, value, FIELDS[key])
    elif not key.startswith("net."):
      raise ConfigError(f'config has no field "{key}".{did_you_mean(key, FIELDS)}')
  axes = config.net.to_dict()
  nets.resolve(axes.pop("name"), axes)
  train = config.train
  if bool(train.steps) == bool(train.epochs):
    raise ConfigError(
      f"exactly one of train.steps (={train.steps}) and train.epochs (={train.epochs}) must be given"
    )
  if train.batch % train.accumulation:
    raise ConfigError(divide("train.batch", train.batch, "train.accumulation", train.accumulation))
  part = train.batch // train.accumulation
  if train.norm_group and part % train.norm_group:
    raise ConfigError(divide("images per part", part, "train.norm_group", train.norm_group))
  if not train.norm_group and train.accumulation > 1 and normalises(config):
    raise ConfigError(
      f"train.accumulation (={train.accumulation}) splits the batch, so batch-norm statistics need "
      f"a size of their own\nSet train.norm_group, for example to {part}"
    )
  for key in ("crop_area", "crop_aspect", "scales"):
    low, high = _pair(f"data.{key}", config.data[key])
    if not 0 < low <= high:
      raise ConfigError(f"data.{key} (=({low}, {high})) must be two numbers, 0 < from <= to")
  drops = config.optim.drops
  if any(not 0 < d < 1 for d in drops) or list(drops) != sorted(drops):
    raise ConfigError(f"optim.drops (={drops}) must be rising shares of the run between 0 and 1")


def check_field(key: str, value: Any, field: Field) -> None:
  """Refuses a value of the wrong type, out of range, not finite, or not among the choices."""
  if type(value) is not type(field.default):
    wanted = type(field.default).__name__
    raise ConfigError(f"{key} (={value!r}) must be {wanted}: {field.meaning}")
  if field.choices and value not in field.choices:
    hint = did_you_mean(value, field.choices)
    raise ConfigError(f"{key} (={value!r}) must be one of {', '.join(field.choices)}.{hint}")
  number = isinstance(value, int | float)
  if number and not (math.isfinite(value) and field.low <= value <= field.high):
    above, below = math.isfinite(field.low), math.isfinite(field.high)
    wanted = f"between {field.low:g} and {field.high:g}" if above and below else "finite"
    wanted = f"{field.low:g} or more" if above and not below else wanted
    raise ConfigError(f"{key} (={value!r}) must be {wanted}: {field.meaning}")


def divide(what: str, got: int, by: str, number: int) -> str:
  """The error text for a number that does not divide, with the nearest ones that do."""
  below = got // number * number
  nearest = ", ".join(str(n) for n in (below, below + number) if n > 0)
  return f"{what} (={got}) must be a multiple of {by} (={number}); nearest: {nearest}"


def normalises(config: ConfigDict) -> bool:
  """Whether the config's net has batch normalisation."""
  return config.net.get("norm") == "batch"


def flatten(config: ConfigDict | Mapping[str, Any]) -> dict[str, Any]:
  """{"net.depth": 20, ...}, in order."""
  flat = {}
  for key, value in config.items():
    if isinstance(value, ConfigDict | Mapping):
      flat |= {f"{key}.{k}": v for k, v in flatten(value).items()}
    else:
      flat[key] = value
  return flat


def to_json(config: ConfigDict) -> dict[str, Any]:
  """Plain nested dicts; tuples become lists."""
  return json.loads(json.dumps(config.to_dict()))


def from_json(values: Mapping[str, Any]) -> ConfigDict:
  """The config whose `to_json` is `values`, as a run folder keeps it; never executes anything."""
  name = values["net"]["name"]
  config = base(name, values["data"]["name"])
  for key, value in flatten(values).items():
    override(config, key, value)
  return config


def digest(config: ConfigDict) -> str:
  """The identity of a config: SHA-256 of its sorted JSON, 12 hexadecimal digits."""
  text = json.dumps(to_json(config), sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
  """{dotted key: (old, new)} for the fields in which two configs differ."""
  old, new = flatten(old), flatten(new)
  keys = [*old, *(k for k in new if k not in old)]
  return {k: (old.get(k), new.get(k)) for k in keys if old.get(k) != new.get(k)}


def _pair(key: str, value: tuple) -> tuple[float, float]:
  if len(value) != 2 or not all(isinstance(v, int | float) and math.isfinite(v) for v in value):
    raise ConfigError(f"{key} (={value!r}) must be two numbers, from and to")
  return value


def _section(values: Mapping[str, Any]) -> ConfigDict:
  return ConfigDict(values, sort_keys=False)  # in the order of FIELDS and of the axes


def _put(config: ConfigDict, key: str, value: Any) -> None:
  *sections, last = key.split(".")
  for section in sections:
    config = config[section]
  config[last] = value
