"""What each worker of this machine gets: a device, or its share of the cores. No JAX here."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

from jaxnets import memory
from jaxnets.errors import ConfigError

# Backend, number of devices, bytes of one (None where it does not say).
_ASK = """
import json, jax
first = jax.devices()[0]
limit = (first.memory_stats() or {}).get("bytes_limit")
print(json.dumps([jax.default_backend(), jax.device_count(), limit]))
"""


class Shares(NamedTuple):
  """What the workers of this machine have."""

  environments: list[dict[str, str]]  # variables of each
  platform: str  # as `train.estimate.Subject` names them: "cpu", "cuda" or "tpu"
  devices: int  # of each
  memory: int  # bytes that each has on a device


def divide(jobs: int | None, threads: int | None = None, cells: int = sys.maxsize) -> Shares:
  """This machine's devices or cores, divided among workers.

  Args:
    jobs: workers; when None one for each GPU, one for all TPU chips, or one for each core.
    threads: of a worker on a CPU; when None the cores are divided.
    cells: no more workers than these.

  Raises:
    ConfigError: more workers than devices.
  """
  platform, count, limit = _devices()
  if platform == "cpu":
    cores = len(os.sched_getaffinity(0))
    jobs = min(jobs or cores, cells)
    share = str(threads or max(1, cores // jobs))
    environment = {"OMP_NUM_THREADS": share, "NPROC": share}
    return Shares([environment] * jobs, "cpu", 1, memory.there() // jobs)
  limit = limit or sys.maxsize
  if platform == "tpu":
    if (jobs or 1) > 1:
      raise ConfigError(f"--jobs={jobs}, but one process has all TPU chips\nLeave --jobs out")
    return Shares([{}], "tpu", count, limit)
  if (jobs or 1) > count:
    raise ConfigError(f"--jobs={jobs}, but there are {count} GPUs\nA job has one GPU or more")
  jobs = min(jobs or count, cells)
  visible = os.environ.get("CUDA_VISIBLE_DEVICES")
  names = visible.split(",") if visible else [str(i) for i in range(count)]
  environments = [{"CUDA_VISIBLE_DEVICES": ",".join(names[i::jobs])} for i in range(jobs)]
  return Shares(environments, "cuda", len(names[jobs - 1 :: jobs]), limit)


def _devices() -> tuple[str, int, int | None]:
  """What `_ASK` says, in a process of its own, which lets go of the devices."""
  if os.environ.get("JAX_PLATFORMS") == "cpu":
    return "cpu", 1, None
  asked = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True)
  if asked.returncode:
    raise ConfigError(
      f"JAX finds no devices: {asked.stderr.strip().splitlines()[-1]}\n"
      "See python launch.py doctor, or --platform=cpu"
    )
  platform, count, limit = json.loads(asked.stdout.splitlines()[-1])
  return platform, count, limit
