"""Layers that do nothing, and can learn to do something: their parameters and statistics."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.errors import ConfigError
from jaxnets.nets import Net

Tree = dict[str, Any]
EPSILON = 1e-5  # of batch norm where no field names another


class Moments(NamedTuple):
  """Of each channel that goes into a new layer, float32 [channels]."""

  mean: jax.Array
  variance: jax.Array


def add_unit(
  deeper: Net, path: str, unit: Tree, stats: Tree, moments: Moments | None
) -> tuple[Tree, Tree]:
  """A residual unit that adds zero: its last scale is zero, or what has no norm behind it.

  A shortcut that projects, option C, passes what it gets, of these moments; others need none.
  """
  last = max(name for name in unit if name.startswith("conv"))
  norm = last.replace("conv", "norm")
  if deeper.fields["preactivation"] or norm not in unit:
    params = unit | {last: jax.tree.map(jnp.zeros_like, unit[last])}
  else:
    params = unit | {norm: unit[norm] | {"scale": jnp.zeros_like(unit[norm]["scale"])}}
  for name in ("projection", "projection_norm"):
    if moments is not None and name in unit:
      params[name], its = add_layers(deeper, f"{path}/{name}", unit[name], moments)
      stats = stats | ({name: its} if its else {})
  return params, stats


def add_layers(deeper: Net, path: str, block: Tree, moments: Moments) -> tuple[Tree, Tree]:
  """Layers, or one part of a layer, as the identity: (params, stats)."""
  if "kernel" in block:
    kernel = dirac(deeper, path, block["kernel"])
    zeros = {name: jnp.zeros_like(x) for name, x in block.items() if name != "kernel"}
    return {"kernel": kernel, **zeros}, {}
  if "scale" in block:
    return undo(deeper, moments), moments._asdict()
  params, stats = {}, {}
  for name, inner in block.items():
    params[name], its = add_layers(deeper, f"{path}/{name}", inner, moments)
    stats |= {name: its} if its else {}
  return params, stats


def dirac(deeper: Net, path: str, kernel: jax.Array) -> jax.Array:
  """The kernel [..., in / groups, out] that gives each channel as it is."""
  *window, inner, out = kernel.shape
  groups = out // inner
  if groups * inner != out or groups not in (1, deeper.fields.get("groups", 1)):
    raise ConfigError(
      f"{path} of {deeper.name} has a kernel of {inner} to {out} channels, which cannot be the "
      "identity\nUse a net whose new layers keep the number of channels"
    )
  centre = tuple((side - 1) // 2 for side in window)
  return jnp.zeros_like(kernel).at[centre].set(jnp.tile(jnp.eye(inner), groups))


def undo(deeper: Net, moments: Moments) -> Tree:
  """Scale and bias [channels] with which batch norm of these moments is the identity."""
  epsilon = deeper.fields.get("norm_epsilon", EPSILON)
  return {"scale": jnp.sqrt(moments.variance + epsilon), "bias": moments.mean}


def add_module(
  deeper: Net, path: str, block: Tree, stats: Tree, given: Mapping[str, Moments]
) -> tuple[Tree, Tree]:
  """An Inception module as the identity: each branch passes as many channels as it is wide.

  What a reduction has beyond those keeps its own start, and is not listened to yet.

  Args:
    deeper: the net that it is of.
    path: where.
    block, stats: its start.
    given: of what each branch of the module before gives, in the order of concatenation.

  Returns:
    params, stats: with those shapes.

  Raises:
    ConfigError: it gives more or fewer channels than it gets, or reduces them on the way.
  """
  moments = Moments(*map(jnp.concatenate, zip(*given.values(), strict=True)))
  widths = {name: block[name]["kernel"].shape[-1] for name in given}
  if sum(widths.values()) != moments.mean.size:
    raise ConfigError(
      f"{path} of {deeper.name} makes {sum(widths.values())} channels of {moments.mean.size}, and "
      "cannot be the identity\nUse a net whose new modules keep the number of channels"
    )
  params, found, start = {}, {}, 0
  for name, width in widths.items():
    own = Moments(*(x[start : start + width] for x in moments))
    layers = {f"{name}_reduce": start, name: 0} if f"{name}_reduce" in block else {name: start}
    for layer, first in layers.items():
      if block[layer]["kernel"].shape[-1] < width:
        raise ConfigError(
          f"{path}/{layer} of {deeper.name} is narrower than the {width} channels to be passed\n"
          "Use net.reduction=False, or a larger net.bottleneck"
        )
      params[layer] = pass_channels(block[layer], first, width)
      if (norm := f"{layer}_norm") in block:
        params[norm] = _replace_first(block[norm], undo(deeper, own))
        found[norm] = _replace_first(stats[norm], own._asdict())
    start += width
  return params, found


def pass_channels(layer: Tree, start: int, width: int) -> Tree:
  """A layer whose outputs 0 to width - 1 are its inputs from `start` on; the others stay.

  kernel: [height, width, in, out]; bias, where there is one: [out].
  """
  *window, inner, _ = layer["kernel"].shape
  centre = tuple((side - 1) // 2 for side in window)
  zeros = {name: x.at[..., :width].set(0) for name, x in layer.items()}
  passed = zeros["kernel"].at[(*centre, slice(None), slice(width))]
  return zeros | {"kernel": passed.set(jnp.eye(inner, width, -start))}


def _replace_first(whole: Tree, part: Tree) -> Tree:
  """Arrays [channels] whose first ones are those of `part`."""
  return {name: x.at[: part[name].size].set(part[name]) for name, x in whole.items()}
