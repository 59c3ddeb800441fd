"""Where arrays live: one mesh axis, "data", over all devices of all hosts."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

DATA = "data"


def make_mesh(devices: Sequence[Any] | None = None) -> Mesh:
  """A mesh of all devices (or of those given) along "data"."""
  devices = jax.devices() if devices is None else devices
  # Explicit axes, the default, would make shardings part of every type inside the nets.
  return jax.make_mesh((len(devices),), (DATA,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
  """The same values on every device."""
  return NamedSharding(mesh, PartitionSpec())


def replicate(tree: Any, mesh: Mesh) -> Any:
  """Arrays that every host has, on all devices; without a copy where they lie there already."""
  sharding = replicated(mesh)
  if sharding.is_fully_addressable:
    return jax.device_put(tree, sharding)
  return jax.tree.map(
    lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x), x.shape), tree
  )


def split(mesh: Mesh) -> NamedSharding:
  """The first axis, images, divided over the devices."""
  return NamedSharding(mesh, PartitionSpec(DATA))


def split_second(mesh: Mesh) -> NamedSharding:
  """[part, image, ...] arrays: every part divided over the devices."""
  return NamedSharding(mesh, PartitionSpec(None, DATA))


def host() -> tuple[int, int]:
  """This host's number and how many there are."""
  return jax.process_index(), jax.process_count()


def global_batch(mesh: Mesh, local: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """The hosts' rows [rows / hosts, ...] as arrays [rows, ...] divided over the devices."""
  sharding = split(mesh)
  return {
    name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in local.items()
  }
