"""Names to nets: what each family can vary, the published nets, and the check of every value.

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
  aux         auxiliary heads, in training; `aux_weight` is the weight of each one's loss
  stem        imagenet, or small for images of 28 to 64 px
  weight_init paper, he, and what else a family offers
  remat       stages whose activations are computed again in the backward pass
"""

import math
from collections.abc import Callable
from typing import Any

from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.nets.tables import FAMILIES
from jaxnets.nets.tables.row import Fields, Variant

AXES: dict[str, Fields] = {family: table.AXES for family, table in FAMILIES.items()}
CHOICES: dict[str, dict[str, tuple]] = {f: table.CHOICES for f, table in FAMILIES.items()}
VARIANTS: dict[str, Variant] = {
  name: row for table in FAMILIES.values() for name, row in table.VARIANTS.items()
}

# What a number, or each number of a tuple, must be. NaN is none of these.
Range = tuple[str, Callable[[float], bool]]
_COUNT: Range = ("at least 1", lambda v: v >= 1)
_NOT_NEGATIVE: Range = ("0 or more", lambda v: 0 <= v < math.inf)
_POSITIVE: Range = ("above 0 and finite", lambda v: 0 < v < math.inf)
_ODD: Range = ("odd and at least 1", lambda v: v >= 1 and v % 2 == 1)
_RATE: Range = ("at least 0 and below 1", lambda v: 0 <= v < 1)

RANGES: dict[str, Range] = {
  "depth": _COUNT,
  "units": _COUNT,
  "widths": _COUNT,
  "hidden": _COUNT,
  "stem_width": _COUNT,
  "groups": _COUNT,
  "remat": _COUNT,
  "width": _POSITIVE,
  "bottleneck": _POSITIVE,
  "norm_epsilon": _POSITIVE,
  "aux_weight": _NOT_NEGATIVE,
  "stem_padding": _NOT_NEGATIVE,
  "kernel": _ODD,
  "large_kernel": _ODD,
  "first_kernels": _ODD,
  "dropout": _RATE,
  "aux_dropout": _RATE,
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
  """All axes of the net `name` with `fields` in place; types, choices and ranges checked.

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
    value = _typed(f"net.{axis}", value, values[axis])
    choices = CHOICES[family].get(axis)
    items = value if isinstance(value, tuple) else (value,)
    for item in items:
      _check_item(f"net.{axis}", value, item, axis, choices)
    if choices and len(set(items)) < len(items):
      raise ConfigError(f"net.{axis} (={value!r}) must not name anything twice")
    values[axis] = value
  return values


def _typed(field: str, value: Any, default: Any) -> Any:
  """`value` in the type of `default`; whole numbers do for floats, lists for tuples."""
  if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
    value = float(value)
  if isinstance(default, tuple) and isinstance(value, list):
    value = tuple(value)
  if type(value) is not type(default):
    raise ConfigError(f"{field} (={value!r}) must be {type(default).__name__}, as in {default!r}")
  if isinstance(value, tuple) and isinstance(default, tuple):
    kind = type(default[0]) if default else int
    if any(type(item) is not kind for item in value) or (default and not value):
      raise ConfigError(f"{field} (={value!r}) must be a tuple of {kind.__name__}")
  return value


def _check_item(field: str, value: Any, item: Any, axis: str, choices: tuple | None) -> None:
  if choices is not None and item not in choices:
    hint = did_you_mean(str(item), [str(c) for c in choices])
    raise ConfigError(f"{field} (={value!r}) must be one of {', '.join(map(str, choices))}.{hint}")
  if axis in RANGES and not RANGES[axis][1](item):
    raise ConfigError(f"{field} (={value!r}) must be {RANGES[axis][0]}")
