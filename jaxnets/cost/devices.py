"""What a device can do at most: peak rates, memory bandwidth and capacity of accelerators.

Rates are those of dense products at the maker's boost clock, per chip; where a document prints
rates with 2:4 sparsity, they are halved here. Nothing reaches them: a bound needs the best case.

A float32 product is not always multiplied in float32. At JAX's default precision XLA rounds its
operands to TensorFloat-32 on NVIDIA GPUs from the A100 on, and to bfloat16 on TPUs (JAX
documentation, "Matmul precision"), so a row has both: `peaks["float32"]` for products that ask for
`Precision.HIGHEST`, and under `float32_in` the name of the peak that the default has.
"""

import functools
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.errors import ConfigError, did_you_mean


class Device(NamedTuple):
  """One chip, or the CPUs of a machine."""

  name: str
  kinds: tuple[str, ...]  # what JAX calls it: `jax.Device.device_kind`
  peaks: dict[str, float]  # FLOP/s of a product by the dtype of its operands; int8: operations/s
  float32_in: str  # the peak of a float32 product at JAX's default precision
  bandwidth: float  # of its memory, bytes/s
  memory: int  # bytes of the chip; driver and runtime keep some of them
  source: str  # public document and place in it, or how it was measured
  jax_devices: int = 1  # how many devices JAX shows for one of it
  measured: bool = False  # on this machine, and not from a document


GIB, TERA, GIGA = 2**30, 1e12, 1e9

_V100 = {
  "float32": 15.7 * TERA,
  # The tensor cores of Volta take float16 alone: XLA multiplies bfloat16 in float32.
  "bfloat16": 15.7 * TERA,
  "float16": 125 * TERA,
}
_A100 = {
  "float32": 19.5 * TERA,
  "tensorfloat32": 156 * TERA,
  "bfloat16": 312 * TERA,
  "float16": 312 * TERA,
  "int8": 624 * TERA,
}
_H100 = {
  "float32": 66.9 * TERA,
  "tensorfloat32": 494.7 * TERA,
  "bfloat16": 989.4 * TERA,
  "float16": 989.4 * TERA,
  "int8": 1978.9 * TERA,
}
_H100_PCIE = {
  "float32": 51.2 * TERA,
  "tensorfloat32": 378 * TERA,
  "bfloat16": 756.5 * TERA,
  "float16": 756.5 * TERA,
  "int8": 1513 * TERA,
}


def _tpu(bfloat16: float, int8: float | None = None) -> dict[str, float]:
  """Peaks of a TPU: `Precision.HIGHEST` makes six bfloat16 products of a float32 one."""
  peaks = {"float32": bfloat16 / 6, "bfloat16": bfloat16}
  return peaks if int8 is None else {**peaks, "int8": int8}


_V100_SOURCE = "NVIDIA V100 Tensor Core GPU datasheet, January 2020, specifications, V100 SXM2"
_A100_SOURCE = (
  "NVIDIA A100 Tensor Core GPU datasheet (nvidia-a100-datasheet-us-nvidia-1758950-r4-web.pdf), "
  "specifications, SXM4 without sparsity"
)
_H100_SOURCE = (
  "NVIDIA H100 Tensor Core GPU Architecture whitepaper, comparison of A100 and H100, peaks without "
  "sparsity"
)

# The capacities of documents count GB, the chips have GiB of them.
DEVICES = (
  Device(
    name="v100",
    kinds=("Tesla V100-SXM2-32GB",),
    peaks=_V100,
    float32_in="float32",
    bandwidth=900 * GIGA,
    memory=32 * GIB,
    source=_V100_SOURCE,
  ),
  Device(
    name="v100-16gb",
    kinds=("Tesla V100-SXM2-16GB",),
    peaks=_V100,
    float32_in="float32",
    bandwidth=900 * GIGA,
    memory=16 * GIB,
    source=_V100_SOURCE,
  ),
  Device(
    name="a100-40gb",
    kinds=("NVIDIA A100-SXM4-40GB", "A100-SXM4-40GB"),
    peaks=_A100,
    float32_in="tensorfloat32",
    bandwidth=1555 * GIGA,
    memory=40 * GIB,
    source=_A100_SOURCE,
  ),
  Device(
    name="a100",
    kinds=("NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB"),
    peaks=_A100,
    float32_in="tensorfloat32",
    bandwidth=2039 * GIGA,
    memory=80 * GIB,
    source=_A100_SOURCE,
  ),
  Device(
    name="h100",
    kinds=("NVIDIA H100 80GB HBM3",),
    peaks=_H100,
    float32_in="tensorfloat32",
    bandwidth=3352 * GIGA,
    memory=80 * GIB,
    source=f"{_H100_SOURCE}, H100 SXM5",
  ),
  Device(
    name="h100-pcie",
    kinds=("NVIDIA H100 PCIe",),
    peaks=_H100_PCIE,
    float32_in="tensorfloat32",
    bandwidth=2000 * GIGA,
    memory=80 * GIB,
    source=f"{_H100_SOURCE}, H100 PCIe",
  ),
  Device(
    name="h200",
    kinds=("NVIDIA H200",),
    peaks=_H100,
    float32_in="tensorfloat32",
    bandwidth=4800 * GIGA,
    memory=141 * GIB,
    source="NVIDIA H200 Tensor Core GPU datasheet, specifications, H200 SXM; peaks, of the same "
    f"chip, from the {_H100_SOURCE}, H100 SXM5",
  ),
  Device(
    name="tpu-v3",
    kinds=("TPU v3",),
    peaks=_tpu(123 * TERA),
    float32_in="bfloat16",
    bandwidth=900 * GIGA,
    memory=32 * GIB,
    source="https://cloud.google.com/tpu/docs/v3, system architecture",
    jax_devices=2,  # its two cores, each with half of all this
  ),
  Device(
    name="tpu-v4",
    kinds=("TPU v4",),
    peaks=_tpu(275 * TERA, 275 * TERA),
    float32_in="bfloat16",
    bandwidth=1228 * GIGA,
    memory=32 * GIB,
    source="https://cloud.google.com/tpu/docs/v4, system architecture; it rounds the bandwidth to "
    "1200 GB/s, JAX's jax/_src/pallas/mosaic/tpu_info.py to 1230",
  ),
  Device(
    name="tpu-v5e",
    kinds=("TPU v5 lite", "TPU v5e"),
    peaks=_tpu(197 * TERA, 393 * TERA),
    float32_in="bfloat16",
    bandwidth=819 * GIGA,
    memory=16 * GIB,
    source="https://cloud.google.com/tpu/docs/v5e, system architecture",
  ),
  Device(
    name="tpu-v5p",
    kinds=("TPU v5", "TPU v5p"),
    peaks=_tpu(459 * TERA, 918 * TERA),
    float32_in="bfloat16",
    bandwidth=2765 * GIGA,
    memory=95 * GIB,
    source="https://cloud.google.com/tpu/docs/v5p, system architecture; int8 from JAX's "
    "jax/_src/pallas/mosaic/tpu_info.py",
  ),
  Device(
    name="tpu-v6e",
    kinds=("TPU v6 lite", "TPU v6e"),
    peaks=_tpu(918 * TERA, 1836 * TERA),
    float32_in="bfloat16",
    bandwidth=1640 * GIGA,
    memory=32 * GIB,
    source="https://cloud.google.com/tpu/docs/v6e, system architecture",
  ),
)


def find(name: str) -> Device:
  """The device of that name, or of that `jax.Device.device_kind`; case does not matter.

  "cpu" is measured on the spot, see `measured_cpu`.

  Raises:
    ConfigError: an unknown name.
  """
  if _plain(name) == "cpu":
    return measured_cpu()
  for device in DEVICES:
    if _plain(name) in map(_plain, (device.name, *device.kinds)):
      return device
  names = [device.name for device in DEVICES]
  raise ConfigError(
    f'there is no device "{name}".{did_you_mean(_plain(name), names)}\n'
    f"All names: {', '.join(names)}, cpu"
  )


@functools.cache
def measured_cpu() -> Device:
  """This machine's CPUs as JAX uses them, measured once per process in about 1.5 seconds.

  The float32 peak is that of the fastest of several square products, the bfloat16 peak no less,
  and the bandwidth is the faster of a sum and a copy of more than the caches hold. Take it on a
  quiet machine. Two ways to be faster remain: kernels that beat XLA's own product, as bfloat16
  instructions of the newest CPUs let them, and values that stay in the caches.
  """
  cpu = jax.devices("cpu")[0]
  product, total = jax.jit(jnp.dot), jax.jit(jnp.sum)
  rates = {"float32": 0.0, "bfloat16": 0.0}
  # The small product finds a quiet moment on a busy machine, the large ones use all its CPUs best.
  for side, dtype in ((512, "float32"), (1024, "float32"), (1536, "float32"), (1024, "bfloat16")):
    square = jax.device_put(np.ones((side, side), jnp.dtype(dtype)), cpu)
    seconds = _best(lambda square=square: product(square, square), 0.2)
    rates[dtype] = max(rates[dtype], 2 * side**3 / seconds)
  rates["bfloat16"] = max(rates.values())
  here = np.ones(32 * 2**20, np.float32)  # 128 MiB
  there, array = np.empty_like(here), jax.device_put(here, cpu)
  read = here.nbytes / _best(lambda: total(array), 0.15)
  copied = 2 * here.nbytes / _best(lambda: np.copyto(there, here), 0.15)
  return Device(
    name="cpu",
    kinds=(cpu.device_kind,),
    peaks=rates,
    float32_in="float32",
    bandwidth=max(read, copied),
    memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    source=f"measured in this process, {os.cpu_count()} CPUs",
    measured=True,
  )


def _best(run: Callable, seconds: float) -> float:
  """Shortest time of one run in that many seconds of runs, the first not counted."""
  jax.block_until_ready(run())
  best, end = float("inf"), time.perf_counter() + seconds
  while (start := time.perf_counter()) < end:
    jax.block_until_ready(run())
    best = min(best, time.perf_counter() - start)
  return best


def _plain(name: str) -> str:
  return name.strip().lower().replace(" ", "-").replace("_", "-")
