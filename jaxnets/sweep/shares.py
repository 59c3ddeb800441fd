"""What each worker of this machine gets: a device, or its share of the cores. No JAX here."""

import json
import os
import subprocess
import sys

from jaxnets.errors import ConfigError

_ASK = "import json, jax; print(json.dumps([jax.default_backend(), jax.device_count()]))"


def environments(
  jobs: int | None, threads: int | None = None, cells: int = sys.maxsize
) -> list[dict[str, str]]:
  """Environment variables for each worker at a time.

  Args:
    jobs: workers; when None one for each GPU, one for all TPU chips, or one for each core.
    threads: of a worker on a CPU; when None the cores are divided.
    cells: no more workers than these.

  Raises:
    ConfigError: more workers than GPUs.
  """
  cores = len(os.sched_getaffinity(0))
  if os.environ.get("JAX_PLATFORMS") == "cpu":
    platform, count = "cpu", 1
  else:
    platform, count = _devices()
  if platform == "gpu":
    jobs = min(jobs or count, cells)
    if jobs > count:
      raise ConfigError(f"--jobs={jobs}, but there are {count} GPUs; one job has one GPU or more")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(i) for i in range(count)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(names[i::jobs])} for i in range(jobs)]
  if platform == "tpu":
    return [{}]
  jobs = min(jobs or cores, cells)
  share = str(threads or max(1, cores // jobs))
  return [{"OMP_NUM_THREADS": share, "NPROC": share}] * jobs


def _devices() -> tuple[str, int]:
  """Backend and number of devices, asked in a process of its own, which lets go of them."""
  asked = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True)
  if asked.returncode:
    raise ConfigError(
      f"JAX finds no devices: {asked.stderr.strip().splitlines()[-1]}\n"
      "See python launch.py doctor, or --platform=cpu"
    )
  platform, count = json.loads(asked.stdout.splitlines()[-1])
  return platform, count
