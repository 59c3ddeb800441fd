"""Pooling and its gradients, as XLA computes them fastest on a CPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.kernels import plain
from jaxnets.kernels.plain import Windows
from jaxnets.kernels.portable.fusion import computed_once


def max_pool(windows: Windows, image):
  """See `native.max_pool`."""
  return max_pool_with_places(windows, image)[0]


def max_pool_with_places(windows: Windows, image):
  """See `native.max_pool_with_places`; XLA's own gradient is slower than the rest of it."""
  window, stride, padding = windows
  out = jax.eval_shape(functools.partial(plain.max_pool, windows), image).shape[1:3]
  edges = ((0, 0), *padding, (0, 0))
  padded = jnp.pad(image, edges, constant_values=-np.inf)
  covered = np.pad(np.ones((1, *image.shape[1:3], 1), bool), edges)

  def at(place):
    starts = (place // window, place % window)
    spans = [slice(a, a + (n - 1) * stride + 1, stride) for a, n in zip(starts, out, strict=True)]
    return slice(None), *spans

  best, started = padded[at(0)], covered[at(0)]
  places = jnp.zeros(best.shape, jnp.uint8)
  for place in range(1, window * window):
    value, here = padded[at(place)], covered[at(place)]
    # The first of equals, or the first that is not a number; padding gives way to any pixel.
    wins = ~(value <= best) & (best == best)
    if not started.all():
      wins = here & (wins | ~started)
    best, places = jnp.where(wins, value, best), jnp.where(wins, np.uint8(place), places)
    started = started | here
  return computed_once(best), computed_once(places)


def max_pool_gradient(windows: Windows, image, places, dy):
  """See `native.max_pool_gradient`.

  The pixels of a phase, every stride-th, lie at the same places of their windows: a phase is a sum
  over the windows that hold it, and the phases are laid between each other in the end.
  """
  window, stride, padding = windows
  axes = [[_windows_of(f, before, window, stride) for f in range(stride)] for before, _ in padding]
  counts = [-(-n // stride) for n in image.shape[1:3]]
  reach = -(-window // stride) + 1
  edges = [(reach, max(0, q + reach - m)) for q, m in zip(counts, dy.shape[1:3], strict=True)]
  edges = ((0, 0), *edges, (0, 0))
  dy, places = jnp.pad(dy, edges), jnp.pad(places, edges)

  def part(down, right):
    total = None
    for i, u in down:
      for j, v in right:
        at = (slice(None), slice(reach + u, reach + u + counts[0]),
              slice(reach + v, reach + v + counts[1]))  # fmt: skip
        term = jnp.where(places[at] == np.uint8(i * window + j), dy[at], 0)
        total = term if total is None else total + term
    return jnp.zeros((len(dy), *counts, dy.shape[-1]), dy.dtype) if total is None else total

  rows = [jnp.stack([part(a, b) for b in axes[1]], 3) for a in axes[0]]
  dx = jnp.stack(rows, 2).reshape(len(dy), counts[0] * stride, counts[1] * stride, -1)
  return dx[:, : image.shape[1], : image.shape[2]]


def _windows_of(phase: int, before: int, window: int, stride: int) -> list[tuple[int, int]]:
  """Places of the pixels of a phase, each with the window it is in, relative to the pixel's own."""
  first = (phase + before) % stride
  return [(i, (phase + before - i) // stride) for i in range(first, window, stride)]


def average_pool(windows: Windows, image):
  """See `native.average_pool`."""
  return plain.average_pool(windows, image)


def average_pool_gradient(windows: Windows, shape: tuple[int, ...], dy):
  """See `native.average_pool_gradient`."""
  like = jax.ShapeDtypeStruct(shape, dy.dtype)
  return jax.linear_transpose(functools.partial(plain.average_pool, windows), like)(dy)[0]
