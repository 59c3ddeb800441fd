"""Multiply-adds of a traced program."""

import math
from collections.abc import Callable, Iterator

import jax
from jax.extend import core


def count_macs(function: Callable, *arguments) -> int:
  """MACs of the convolutions and matrix products of `function`, in one call.

  One MAC is one multiplication with its addition; twice that are the FLOPs. Every tap of a
  window counts, also those on padding, as the papers count; element-wise operations, pooling and
  normalisation do not. Where a platform has a form of its own, the common one counts.

  Args:
    function: any traceable function.
    *arguments: arrays or `jax.ShapeDtypeStruct`s; nothing is computed or allocated.
  """
  return _macs(jax.make_jaxpr(function)(*arguments).jaxpr)


def _macs(jaxpr: core.Jaxpr) -> int:
  total = 0
  by_platform = {e.outvars[0] for e in jaxpr.eqns if e.primitive.name == "platform_index"}
  for equation in jaxpr.eqns:
    inner = [_macs(sub) for sub in _subjaxprs(equation)]
    match equation.primitive.name:
      case "conv_general_dilated":
        total += _conv_macs(equation)
      case "dot_general":
        total += _dot_macs(equation)
      case "scan":
        total += equation.params["length"] * sum(inner)
      case "cond" if equation.invars[0] in by_platform:
        total += inner[-1]  # the form for all other platforms: what the function means
      case "cond":
        total += max(inner)
      case "while" if any(inner):
        raise ValueError("a while loop with an unknown number of rounds holds multiply-adds")
      case _:
        total += sum(inner)
  return total


def _conv_macs(equation) -> int:
  """Each output value takes height * width * in / groups taps; the kernel's shape holds them."""
  out, kernel = equation.outvars[0].aval.shape, equation.invars[1].aval.shape
  out_channels = equation.params["dimension_numbers"].rhs_spec[0]
  return math.prod(out) * math.prod(kernel) // kernel[out_channels]


def _dot_macs(equation) -> int:
  left = equation.invars[0].aval.shape
  (contracted, _), _ = equation.params["dimension_numbers"]
  return math.prod(equation.outvars[0].aval.shape) * math.prod(left[i] for i in contracted)


def _subjaxprs(equation) -> Iterator[core.Jaxpr]:
  for value in equation.params.values():
    for item in value if isinstance(value, tuple | list) else (value,):
      if isinstance(item, core.ClosedJaxpr):
        yield item.jaxpr
      elif isinstance(item, core.Jaxpr):
        yield item
