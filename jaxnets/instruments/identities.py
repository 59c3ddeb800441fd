"""Layers that do nothing, and can learn to do something: their parameters and statistics."""

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


def add_unit(deeper: Net, unit: Tree) -> Tree:
  """A residual unit that adds zero: its last scale is zero, or what has no norm behind it."""
  last = max(name for name in unit if name.startswith("conv"))
  norm = last.replace("conv", "norm")
  if deeper.fields["preactivation"] or norm not in unit:
    return unit | {last: jax.tree.map(jnp.zeros_like, unit[last])}
  return unit | {norm: unit[norm] | {"scale": jnp.zeros_like(unit[norm]["scale"])}}


def add_layers(deeper: Net, path: str, block: Tree, moments: Moments) -> tuple[Tree, Tree]:
  """Layers, or one part of a layer, as the identity: (params, stats)."""
  if "kernel" in block:
    kernel = dirac(deeper, path, block["kernel"])
    zeros = {name: jnp.zeros_like(x) for name, x in block.items() if name != "kernel"}
    return {"kernel": kernel, **zeros}, {}
  if "scale" in block:
    return undone(deeper, moments), moments._asdict()
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


def undone(deeper: Net, moments: Moments) -> Tree:
  """Scale and bias with which batch norm of these moments is the identity."""
  epsilon = deeper.fields.get("norm_epsilon", EPSILON)
  return {"scale": jnp.sqrt(moments.variance + epsilon), "bias": moments.mean}


def add_module(
  deeper: Net, path: str, block: Tree, stats: Tree, moments: Moments
) -> tuple[Tree, Tree]:
  """An Inception module as the identity: each branch hands on its own channels: (params, stats).

  What a reduction has beyond those keeps its own start, and is not listened to yet.
  """
  branches = deeper.fields["branches"]
  widths = {name: block[name]["kernel"].shape[-1] for name in branches}
  if sum(widths.values()) != moments.mean.size:
    raise ConfigError(
      f"{path} of {deeper.name} makes {sum(widths.values())} channels of {moments.mean.size}, and "
      "cannot be the identity\nUse a net whose new modules keep the number of channels"
    )
  params, found, start = {}, {}, 0
  for name, width in widths.items():
    own = Moments(*(x[start : start + width] for x in moments))
    names = (f"{name}_reduce", name) if f"{name}_reduce" in block else (name,)
    for layer, first in zip(names, (start, 0), strict=False):
      if block[layer]["kernel"].shape[-1] < width:
        raise ConfigError(
          f"{path}/{layer} of {deeper.name} is narrower than the {width} channels to be handed on\n"
          "Use net.reduction=False, or a larger net.bottleneck"
        )
      params[layer] = handing_on(block[layer], first, width)
      if (norm := f"{layer}_norm") in block:
        params[norm] = _begun(block[norm], undone(deeper, own))
        found[norm] = _begun(stats[norm], own._asdict())
    start += width
  return params, found


def handing_on(layer: Tree, first: int, width: int) -> Tree:
  """The layer whose first channels are as many of what it gets, from the `first` on."""
  kernel = layer["kernel"]
  *window, inner, _ = kernel.shape
  centre = tuple((side - 1) // 2 for side in window)
  zeros = {name: x.at[..., :width].set(0) for name, x in layer.items()}
  return zeros | {
    "kernel": zeros["kernel"].at[(*centre, slice(None), slice(width))].set(
      jnp.eye(inner, width, -first)
    )
  }  # fmt: skip


def _begun(whole: Tree, first: Tree) -> Tree:
  """Arrays of all channels, those of the first channels replaced."""
  return {name: x.at[: first[name].size].set(first[name]) for name, x in whole.items()}
