"""The fields of a config outside section net: defaults, meanings with units, legal values."""

import math
from typing import Any, NamedTuple

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
  "data.validation": Field(
    0.1, "share of the training images carved out for validation", (), 0, 0.9
  ),
  "data.images": Field(
    0, "training images, balanced over classes, chosen by the seed; 0: all", low=0
  ),
  "data.normalise": Field(
    "channel", "mean and deviation per channel, or the mean image", ("channel", "pixel")
  ),
  "data.crop": Field(
    "none", "training crop", ("none", "pad", "random_resized", "scale_jitter", "fixed")
  ),
  "data.pad": Field(4, "crop=pad: zeros on each side before the crop, px", low=0),
  "data.crop_area": Field((0.08, 1.0), "crop=random_resized: share of the image's area"),
  "data.crop_aspect": Field((0.75, 4 / 3), "crop=random_resized: width / height"),
  "data.scales": Field((256, 480), "crop=scale_jitter or fixed: short side, from and to, px"),
  "data.flip": Field(False, "flip training images left to right, half of the time"),
  "data.lighting": Field(0.0, "deviation of AlexNet's PCA colour shift; 0 is off", low=0),
  "data.colour": Field(
    0.0, "strength of brightness, contrast, saturation jitter; 0 is off", (), 0, 1
  ),
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
  "optim.decay_mask": Field(
    "all", "what decays: all parameters, or kernels only", ("all", "kernels")
  ),
  "optim.schedule": Field(
    "cosine", "of the learning rate", ("constant", "step", "cosine", "poly", "plateau")
  ),
  "optim.warmup_steps": Field(0, "steps of linear warm-up from 0", low=0),
  "optim.drops": Field((0.5, 0.75), "schedule=step: shares of the run after which lr drops"),
  "optim.drop_factor": Field(0.1, "schedule=step or plateau: lr is multiplied by this", (), 0, 1),
  "optim.poly_power": Field(2.0, "schedule=poly: lr (1 - step / steps) ^ power", low=0),
  "optim.patience": Field(
    5, "schedule=plateau: evaluations without a better validation error", low=1
  ),
  "optim.clip_norm": Field(0.0, "largest norm of the gradient; 0 is off", low=0),
  "train.batch": Field(128, "images per step, over all devices", low=1, high=2**31 - 1),
  "train.steps": Field(0, "length of the run, steps; 0: given in epochs", low=0),
  "train.epochs": Field(
    0.0, "length of the run, passes over the training images; 0: in steps", low=0
  ),
  "train.accumulation": Field(1, "parts that a batch is computed in, one after the other", low=1),
  "train.norm_group": Field(0, "images per batch-norm statistics group; 0: the whole batch", low=0),
  "train.precision": Field("float32", "of the computation", ("float32", "bfloat16")),
  "train.form": Field(
    "jit", "one program over all devices, or one per device", ("jit", "shard_map")
  ),
  "train.label_smoothing": Field(0.0, "share of the label spread over all classes", (), 0, 0.99),
  "train.ema": Field(
    0.0, "decay of the average of the parameters that is evaluated; 0 is off", (), 0, 0.999999
  ),
  "train.log_every": Field(50, "steps between rows of metrics.jsonl", low=1),
  "train.probe_every": Field(
    0, "steps between rows about each layer in probes.jsonl, of the first too; 0: none", low=0
  ),
  "train.checkpoint_every": Field(500, "steps between checkpoints", low=1),
  "train.keep": Field(2, "checkpoints kept", low=1),
  "eval.batch": Field(500, "images per evaluation step", low=1),
  "eval.every": Field(500, "steps between evaluations on the validation images", low=1),
  "eval.masks": Field(
    0, "dropout masks whose predictions are averaged on the test images too; 0: none", low=0
  ),
  "eval.fitted": Field(
    False, "the training images too are evaluated at the end, as the test images are"
  ),
  "eval.scale": Field(256 / 224, "short side / crop of photos before the centre crop", (), 1, 4),
  "seed": Field(
    0, "of initialisation, data order, augmentation and dropout", low=0, high=2**32 - 1
  ),
}


def check_field(key: str, value: Any, field: Field) -> None:
  """Refuses a value of the wrong type, out of range, not finite, or not among the choices."""
  if type(value) is not type(field.default):
    wanted = type(field.default).__name__
    raise ConfigError(f"{key} (={value!r}) must be {wanted}: {field.meaning}")
  if field.choices and value not in field.choices:
    hint = did_you_mean(value, field.choices)
    raise ConfigError(f"{key} (={value!r}) must be one of {', '.join(field.choices)}.{hint}")
  if isinstance(value, tuple) and not all(type(v) in (int, float) for v in value):
    raise ConfigError(f"{key} (={value!r}) must hold numbers: {field.meaning}")
  number = isinstance(value, int | float)
  if number and not (math.isfinite(value) and field.low <= value <= field.high):
    above, below = math.isfinite(field.low), math.isfinite(field.high)
    wanted = f"between {field.low:g} and {field.high:g}" if above and below else "finite"
    wanted = f"{field.low:g} or more" if above and not below else wanted
    raise ConfigError(f"{key} (={value!r}) must be {wanted}: {field.meaning}")
