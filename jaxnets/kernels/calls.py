"""The C++ kernels as functions of JAX arrays, one device's images at a time.

A kernel computes on the images of one device. Under a mesh every device computes on its own, sums
over images are added up, and nothing is gathered. Under `vmap` more images are a larger batch, and
what differs for each, as kernels of convolutions do, is computed one after the other.
"""

import ctypes
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from jaxnets import onednn

TARGETS = (
  "jaxnets_conv",
  "jaxnets_conv_image_gradient",
  "jaxnets_conv_kernel_gradient",
  "jaxnets_norm_sums",
  "jaxnets_norm",
  "jaxnets_norm_gradient_sums",
  "jaxnets_norm_gradient",
  "jaxnets_max_pool",
  "jaxnets_max_pool_gradient",
  "jaxnets_average_pool",
  "jaxnets_average_pool_gradient",
  "jaxnets_lrn",
  "jaxnets_lrn_gradient",
)
IMAGES, SHARED, SUM = "images", "shared", "sum"  # what an argument or result is, see `call`


@functools.cache
def register(library: onednn.Library) -> ctypes.CDLL:
  """Loads the library, tells XLA its functions, and returns it."""
  # Read once, when OpenMP is loaded: threads that wait for work shall soon leave the cores to XLA
  # and to others. On a quiet machine more is no faster; on a busy one ten times this halves it.
  os.environ.setdefault("GOMP_SPINCOUNT", "1000")
  loaded = ctypes.CDLL(str(library.path))
  for name in TARGETS:
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(loaded, name)), platform="cpu")
  return loaded


def spent() -> dict[str, tuple[float, int]]:
  """Seconds and calls of every kernel since the process began, by what it computes."""
  text = ctypes.create_string_buffer(2**16)
  register(onednn.obtain()).jaxnets_spent(text, ctypes.c_size_t(len(text)))
  rows = [line.split("\t") for line in text.value.decode().splitlines()]
  return {name: (float(seconds), int(calls)) for name, seconds, calls in rows}


def call(
  target: str,
  arguments: Sequence[tuple[str, jax.Array] | None],
  results: Sequence[tuple[str, jax.ShapeDtypeStruct] | None],
  **attributes: Any,
) -> list[jax.Array]:
  """The results of the C++ function `target`.

  Args:
    target: one of `TARGETS`.
    arguments: each with its kind: IMAGES, where the first axis is that of the images, or SHARED,
      the same for all; None for one that the function does without.
    results: shapes for these arguments, each with its kind: IMAGES, or SUM over the images; None
      for one that is not wanted.
    **attributes: passed on.

  Returns:
    The wanted results.
  """
  kinds, arrays = zip(*filter(None, arguments), strict=True)
  result_kinds = [kind for kind, _ in filter(None, results)]
  nothing = jax.ShapeDtypeStruct((0,), jnp.float32)

  def on_images(*arrays: jax.Array) -> list[jax.Array]:
    images = next(a.shape[0] for a, k in zip(arrays, kinds, strict=True) if k == IMAGES)
    given, wanted = iter(arrays), []
    for result in results:
      kind, shape = result or (SUM, nothing)
      wanted.append(_with_images(shape, images) if kind == IMAGES else shape)
    out = jax.ffi.ffi_call(target, wanted)(
      *(jnp.zeros(0, jnp.float32) if a is None else next(given) for a in arguments), **attributes
    )
    return [y for y, result in zip(out, results, strict=True) if result]

  on_each = per_device(on_images, kinds, result_kinds)
  mapped = custom_vmap(lambda *arrays: on_each(*arrays))

  @mapped.def_vmap
  def more_images(size: int, batched: Sequence[bool], *arrays: jax.Array):
    moves = [b and kind == SHARED for b, kind in zip(batched, kinds, strict=True)]
    if any(moves) or SUM in result_kinds:
      out = _one_by_one(mapped, size, batched, arrays)
    else:
      out = mapped(*map(functools.partial(_fold, size), arrays, batched, kinds))
      out = [y.reshape(size, len(y) // size, *y.shape[1:]) for y in out]
    return out, [True] * len(out)

  return mapped(*arrays)


def _with_images(shape: jax.ShapeDtypeStruct, images: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct((images, *shape.shape[1:]), shape.dtype)


def _one_by_one(function, size: int, batched: Sequence[bool], arrays: Sequence[jax.Array]):
  """The function on each of the mapped arrays in turn."""

  def one(index):
    return function(*(a[index] if b else a for a, b in zip(arrays, batched, strict=True)))

  return lax.map(one, jnp.arange(size))


def _fold(size: int, array: jax.Array, is_batched: bool, kind: str) -> jax.Array:
  """The mapped axis made one with that of the images."""
  if kind == SHARED:
    return array
  if not is_batched:
    array = jnp.broadcast_to(array, (size, *array.shape))
  return array.reshape(-1, *array.shape[2:])


def per_device(
  function: Callable[..., list[jax.Array]], kinds: Sequence[str], result_kinds: Sequence[str]
) -> Callable[..., list[jax.Array]]:
  """`function`, which under a mesh runs on each device's part of the images; see `call`."""
  partitioned = custom_partitioning(lambda *arrays: function(*arrays))
  first = kinds.index(IMAGES)

  def partition(mesh, arguments, results):
    axes = _first_axis(arguments[first].sharding)
    split = NamedSharding(mesh, PartitionSpec(axes))
    everywhere = NamedSharding(mesh, PartitionSpec())

    def on_one_device(*arrays):
      out = function(*arrays)
      if axes is None:
        return out
      return [lax.psum(y, axes) if k == SUM else y for y, k in zip(out, result_kinds, strict=True)]

    wanted = [everywhere if k == SHARED else split for k in kinds]
    given = [everywhere if k == SUM else split for k in result_kinds]
    return mesh, on_one_device, given, tuple(wanted)

  def infer(mesh, arguments, results):
    axes = _first_axis(arguments[first].sharding)
    return [
      NamedSharding(mesh, PartitionSpec() if k == SUM else PartitionSpec(axes))
      for k in result_kinds
    ]

  def rule(mesh, value_types, result_types):
    return _rule(kinds, value_types, result_kinds, result_types)

  partitioned.def_partition(
    partition=partition, infer_sharding_from_operands=infer, sharding_rule=rule
  )
  return partitioned


def _first_axis(sharding: NamedSharding):
  if not isinstance(sharding, NamedSharding):
    raise TypeError(f"the kernels want arrays on a named mesh, not {type(sharding).__name__}")
  spec = sharding.spec
  return spec[0] if len(spec) else None


def _rule(kinds, value_types, result_kinds, result_types):
  """Shardy's rule: all axes but that of the images are whole on every device."""
  whole: list[str] = []  # the names of all axes but that of the images, no two the same

  def axes(kind: str, rank: int) -> str:
    own = [f"a{len(whole) + i}" for i in range(rank - (kind == IMAGES))]
    whole.extend(own)
    return " ".join(["n", *own] if kind == IMAGES else own)

  left = ", ".join(axes(k, len(t.shape)) for k, t in zip(kinds, value_types, strict=True))
  right = ", ".join(axes(k, len(t.shape)) for k, t in zip(result_kinds, result_types, strict=True))
  special: dict[str, tuple[str, ...]] = {"need_replication_factors": tuple(whole)}
  if IMAGES not in result_kinds:
    special["reduction_factors"] = ("n",)
  return f"{left} -> {right}", special
