"""Experiment configs: their fields, checks, identity, and how a file becomes one.

A config is a locked `ConfigDict` of numbers, strings and tuples in the sections net, data, optim,
train, eval and the seed. The fields are those of `jaxnets.fields` and, in section net, the axes of
`jaxnets.nets.axes`. No JAX here.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxnets import experiment, nets
from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.fields import FIELDS, check_field

# A locked ConfigDict. Type checkers cannot see into it: its attributes are what FIELDS says.
Config = Any


def base(net: str, data: str = "digits", **axes) -> Config:
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


def run_locally(config: Config, image_size: int = 28) -> Config:
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


def load(spec: str, overrides: Mapping[str, Any] | None = None) -> Config:
  """The locked config of an experiment file, "experiments/f.py" or "experiments/f.py:argument".

  Args:
    spec: path of the file, which is executed, and its argument.
    overrides: dotted keys and values, {"net.depth": 56}.

  Raises:
    ConfigError: no such file, no `get_config`, an argument or a key that it does not know.
  """
  return changed(execute(spec), overrides or {})


def changed(config: Config, overrides: Mapping[str, Any]) -> Config:
  """A checked copy of a config with other values.

  Args:
    config: stays as it is.
    overrides: dotted keys and values; another net.name brings that net's own axes.

  Raises:
    ConfigError: a key or a value that the config cannot have.
  """
  config = config.copy_and_resolve_references()
  rename_net(config, overrides.get("net.name", config.net.name))
  for key, value in overrides.items():
    if key != "net.name":
      override(config, key, value)
  settle(config, overrides)
  check(config)
  return config


def execute(spec: str) -> Config:
  """The config that the experiment file returns for its argument, locked, not yet checked."""
  config = experiment.config_of(spec)
  if not isinstance(config, ConfigDict):
    name = spec.partition(":")[0]
    raise ConfigError(f"{name}: get_config returned {type(config).__name__}, not a config")
  return config.lock()


def override(config: Config, key: str, value: Any) -> None:
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


def rename_net(config: Config, name: str) -> None:
  """Makes `name` the config's net, with that net's own axes; those of the net before are gone."""
  if name != config.net.name:
    use_net(config, name)


def use_net(config: Config, name: str) -> None:
  """Makes `name` the config's net, with that net's own axes, also where it was the net before."""
  with config.unlocked():
    config.net = _section({"name": name, **nets.axes(name)})


def settle(config: Config, overridden: Iterable[str]) -> None:
  """Lets an override win where two fields say one thing: a run's length in steps or in epochs."""
  overridden = set(overridden)
  train = config.train
  if "train.epochs" in overridden and "train.steps" not in overridden:
    train.steps = 0
  if "train.steps" in overridden and "train.epochs" not in overridden:
    train.epochs = 0.0


def check(config: Config) -> None:
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
      f"exactly one of train.steps (={train.steps}) and train.epochs (={train.epochs}) must be set"
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
  if config.optim.schedule == "plateau" and not config.data.validation:
    raise ConfigError(
      "optim.schedule=plateau follows the validation error, but data.validation (=0.0) keeps no "
      "images for it"
    )
  for key in ("crop_area", "crop_aspect", "scales"):
    low, high = _pair(f"data.{key}", config.data[key])
    if not 0 < low <= high:
      raise ConfigError(f"data.{key} (=({low}, {high})) must be two numbers, 0 < from <= to")
  drops = config.optim.drops
  if any(not 0 < d < 1 for d in drops) or list(drops) != sorted(drops):
    raise ConfigError(f"optim.drops (={drops}) must be rising shares of the run between 0 and 1")


def divide(what: str, got: int, by: str, number: int) -> str:
  """The error text for a number that does not divide, with the nearest ones that do."""
  below = got // number * number
  nearest = ", ".join(str(n) for n in (below, below + number) if n > 0)
  return f"{what} (={got}) must be a multiple of {by} (={number}); nearest: {nearest}"


def normalises(config: Config) -> bool:
  """Whether the config's net has batch normalisation."""
  return config.net.get("norm") == "batch"


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
  """{"net.depth": 20, ...}, in order."""
  flat = {}
  for key, value in config.items():
    if isinstance(value, ConfigDict):
      value = value.to_dict()
    if isinstance(value, Mapping):
      flat |= {f"{key}.{k}": v for k, v in flatten(value).items()}
    else:
      flat[key] = value
  return flat


# What a compiled train step takes as arguments, or never sees.
ARGUMENTS = (
  "seed", "optim.lr", "optim.lr_batch", "optim.lr_scaling", "optim.momentum",
  "optim.weight_decay", "train.label_smoothing", "net.dropout",
  "train.log_every", "train.probe_every", "train.checkpoint_every", "train.keep", "eval.every",
  "eval.fitted", "data.workers",
)  # fmt: skip

# Fields younger than run folders that are kept. JSON lacks them at these defaults, so that configs
# of before are what they were: such a folder goes on, and a finished cell is found again.
YOUNGER = {
  "data.images": 0, "train.probe_every": 0, "eval.masks": 0, "eval.fitted": False,
  "sift.detector": "dense",
}  # fmt: skip
YOUNGER_AXES = {"vgg": {"shared": True, "pool_window": 2}}  # of the nets of a family


def program(config: Config) -> Config:
  """The config that stands for all that run the same compiled program: ARGUMENTS at one value.

  Whether a net has dropout at all is a matter of the program; so is the number of images of a run
  that is given in epochs.
  """
  one = config.copy_and_resolve_references().unlock()
  for key in ARGUMENTS:
    if key in FIELDS:
      _put(one, key, FIELDS[key].default)
    elif config.net.get("dropout"):
      one.net.dropout = 0.5
  if config.train.steps:  # else the length of the run follows from the images
    one.data.images = 0
  return one.lock()


def to_json(config: Config) -> dict[str, Any]:
  """Plain nested dicts; tuples become lists; YOUNGER fields at their default are left out."""
  values = json.loads(json.dumps(config.to_dict()))
  younger = dict(YOUNGER)
  if "net" in values:
    axes = YOUNGER_AXES.get(nets.variant(values["net"]["name"]).family, {})
    younger |= {f"net.{name}": default for name, default in axes.items()}
  for key, default in younger.items():
    section, name = key.split(".")
    if values.get(section, {}).get(name) == default:
      del values[section][name]
  return values


def from_json(values: Mapping[str, Any]) -> Config:
  """The config whose `to_json` is `values`, as a run folder keeps it; never executes anything."""
  name = values["net"]["name"]
  config = base(name, values["data"]["name"])
  for key, value in flatten(values).items():
    override(config, key, value)
  return config


def digest(config: Config) -> str:
  """The identity of a config."""
  return hashed(to_json(config))


def hashed(values: Any) -> str:
  """The identity of plain values: SHA-256 of their sorted JSON, 12 hexadecimal digits."""
  text = json.dumps(values, sort_keys=True)
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


def _section(values: Mapping[str, Any]) -> Config:
  return ConfigDict(values, sort_keys=False)  # in the order of FIELDS and of the axes


def _put(config: Config, key: str, value: Any) -> None:
  *sections, last = key.split(".")
  for section in sections:
    config = config[section]
  config[last] = value
