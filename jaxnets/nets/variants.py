"""The nets as data: what each family can vary, and the published nets as rows.

No JAX here, so that configs and the reading commands are quick. `AXES` is the one home of default
values: the fields of a family's module, without defaults of its own.

Axes that every family with the thing in question shares:

  depth       layers with weights, as the papers count them
  units       repeats in each stage; () means what `depth` stands for
  width       factor on every channel count
  kernel      side of the spatial convolution windows
  activation  relu, leaky_relu, tanh, sigmoid, gelu, swish, identity
  norm        batch, group or none
  lrn         local response normalisation where the paper has it
  pooling     max or average
  head        gap (global average, then linear) or fc (hidden layers of `hidden` units)
  dropout     rate; `dropout_place` says where
  stem        imagenet, or small for images of 28 to 64 px
  weight_init paper, he, and what else a family offers
  remat       stages whose activations are computed again in the backward pass
"""

from typing import Any, NamedTuple

from jaxnets.errors import ConfigError, did_you_mean

Fields = dict[str, Any]


class Variant(NamedTuple):
  """A published net: its family, what differs from the family's defaults, and what it eats."""

  family: str
  fields: Fields
  image_size: int = 224
  classes: int = 1000
  paper: str = ""


ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "swish", "identity")

RESNET = "He et al. 2015 (1512.03385)"
PREACTIVATION = "He et al. 2016 (1603.05027)"
RESNEXT = "Xie et al. 2016 (1611.05431)"
WIDE = "Zagoruyko and Komodakis 2016 (1605.07146)"

AXES: dict[str, Fields] = {
  "resnet": {
    "depth": 50,
    "units": (),
    "widths": (256, 512, 1024, 2048),  # channels out of each stage
    "width": 1.0,
    "unit": "bottleneck",
    "bottleneck": 4.0,  # channels out of a unit / channels inside it
    "groups": 1,
    "kernel": 3,
    "shortcut": "B",
    "preactivation": False,
    "stride_first": False,  # v1: the stride is on the unit's first convolution; v1.5: on its 3x3
    "activation": "relu",
    "norm": "batch",
    "zero_last_scale": False,
    "stem": "imagenet",
    "stem_width": 64,
    "pooling": "max",
    "head": "gap",
    "hidden": 4096,
    "dropout": 0.0,
    "dropout_place": "head",
    "weight_init": "he",
    "remat": (),
  },
}

CHOICES: dict[str, dict[str, tuple]] = {
  "resnet": {
    "unit": ("basic", "bottleneck"),
    "shortcut": ("none", "A", "B", "C"),
    "activation": ACTIVATIONS,
    "norm": ("batch", "group", "none"),
    "stem": ("imagenet", "small"),
    "pooling": ("max", "average"),
    "head": ("gap", "fc"),
    "dropout_place": ("head", "unit"),
    "weight_init": ("he", "glorot"),
  },
}

_BASIC = {"unit": "basic", "widths": (64, 128, 256, 512), "bottleneck": 1.0}
_CIFAR = {"unit": "basic", "widths": (16, 32, 64), "bottleneck": 1.0, "stem": "small",
          "stem_width": 16, "shortcut": "A"}  # fmt: skip
_V2 = {"preactivation": True}


def _resnets() -> dict[str, Variant]:
  rows = {}
  for depth in (18, 34, 50, 101, 152):
    fields = {"depth": depth, **(_BASIC if depth < 50 else {})}
    rows[f"resnet{depth}"] = Variant("resnet", fields, paper=RESNET)
    rows[f"resnet{depth}_a"] = Variant("resnet", fields | {"shortcut": "A"}, paper=RESNET)
    rows[f"resnet{depth}_c"] = Variant("resnet", fields | {"shortcut": "C"}, paper=RESNET)
    rows[f"plain{depth}"] = Variant("resnet", fields | {"shortcut": "none"}, paper=RESNET)
    rows[f"resnet{depth}_v2"] = Variant("resnet", fields | _V2, paper=PREACTIVATION)
    if depth >= 50:
      rows[f"resnet{depth}_v1"] = Variant("resnet", fields | {"stride_first": True}, paper=RESNET)
  for depth in (20, 32, 44, 56, 110, 1202):
    for suffix, shortcut in (("", "A"), ("_b", "B"), ("_c", "C")):
      fields = {"depth": depth} | _CIFAR | {"shortcut": shortcut}
      rows[f"cifar_resnet{depth}{suffix}"] = Variant("resnet", fields, 32, 10, RESNET)
    fields = {"depth": depth} | _CIFAR
    rows[f"cifar_plain{depth}"] = Variant("resnet", fields | {"shortcut": "none"}, 32, 10, RESNET)
    rows[f"cifar_resnet{depth}_v2"] = Variant("resnet", fields | _V2, 32, 10, PREACTIVATION)
  return rows


VARIANTS: dict[str, Variant] = {
  **_resnets(),
  "resnext50_32x4d": Variant("resnet", {"bottleneck": 2.0, "groups": 32}, paper=RESNEXT),
  "resnext101_32x8d": Variant(
    "resnet", {"depth": 101, "bottleneck": 1.0, "groups": 32}, paper=RESNEXT
  ),
  "wide_resnet50_2": Variant("resnet", {"bottleneck": 2.0}, paper=WIDE),
  "wide_resnet101_2": Variant("resnet", {"depth": 101, "bottleneck": 2.0}, paper=WIDE),
  # WRN-28-10 in its paper, which counts the three projections and not the last linear layer.
  "cifar_wide_resnet28_10": Variant(
    "resnet", {"depth": 26} | _CIFAR | _V2 | {"width": 10.0, "shortcut": "B"}, 32, 10, WIDE
  ),
}


def variant(name: str) -> Variant:
  """The row called `name`; ConfigError with the nearest name when there is none."""
  if name not in VARIANTS:
    raise ConfigError(
      f'there is no net "{name}".{did_you_mean(name, VARIANTS)}\n'
      "All names: python launch.py list nets"
    )
  return VARIANTS[name]


def axes(name: str) -> Fields:
  """Every axis of the net called `name` with its value there."""
  family, fields, *_ = variant(name)
  return AXES[family] | fields


def resolve(name: str, fields: Fields) -> Fields:
  """All axes of the net `name` with `fields` in place, types and choices checked.

  Raises:
    ConfigError: for an axis the family does not have, or a value it cannot take.
  """
  family = variant(name).family
  values = axes(name)
  for axis, value in fields.items():
    if axis not in values:
      raise ConfigError(
        f'net "{name}" has no axis "{axis}".{did_you_mean(axis, values)}\n'
        f"The axes of {family}: {', '.join(values)}"
      )
    values[axis] = _checked(f"net.{axis}", value, values[axis], CHOICES[family].get(axis))
  return values


def _checked(field: str, value: Any, default: Any, choices: tuple | None) -> Any:
  if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
    value = float(value)
  if isinstance(default, tuple) and isinstance(value, list):
    value = tuple(value)
  if type(value) is not type(default):
    raise ConfigError(f"{field} (={value!r}) must be {type(default).__name__}, as in {default!r}")
  if choices is not None and value not in choices:
    hint = did_you_mean(str(value), [str(c) for c in choices])
    raise ConfigError(f"{field} (={value!r}) must be one of {', '.join(map(str, choices))}.{hint}")
  return value
