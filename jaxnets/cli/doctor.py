"""Say what this machine has and lacks.

    python launch.py doctor [--devices] [--format=text|json|csv|md]

Quick by default: versions are read from the installed packages, devices are guessed from their
drivers. --devices starts JAX and asks it. Exit code 3 when training lacks something.
"""

import ctypes
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets import __version__
from jaxnets.cli import table

REQUIRED = ("jax", "flax", "optax", "orbax-checkpoint", "ml-collections", "absl-py", "numpy",
            "tensorflow-datasets", "array_record", "grain", "importlib_resources", "pillow",
            "rich")  # fmt: skip
EXTRAS = {"data": "scikit-learn", "report": "matplotlib", "classical": "scikit-image",
          "cpu": "onednn-cpu-gomp", "export": "safetensors", "slurm": "submitit",
          "tb": "tensorboardX"}  # fmt: skip
FREE_GIB = 2.0  # a run with checkpoints wants at least this


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_bool("devices", False, "start JAX and name its devices", flag_values=values)


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints one row per check."""
  del arguments
  rows = [
    _row("python", sys.version.split()[0], sys.version_info >= (3, 11), "3.11 or newer"),
    _row("jaxnets", __version__, True),
    *packages(),
    *extras(),
    *devices(values.devices),
    kernels(),
    *places(values.data_dir),
  ]
  table.show(rows, values.format)
  return 3 if any(row["state"] == "missing" for row in rows) else 0


def packages() -> list[dict[str, Any]]:
  """The required packages and their versions."""
  rows = []
  for name in REQUIRED:
    version = _version(name)
    rows.append(_row(name, version, bool(version), f"pip install {name}"))
  return rows


def extras() -> list[dict[str, Any]]:
  """The extras, each by the package it brings."""
  rows = []
  for extra, package in EXTRAS.items():
    version = _version(package)
    value = f"{package} {version}" if version else ""
    rows.append(
      _row(f"extra {extra}", value, bool(version), f'pip install "jaxnets[{extra}]"', "absent")
    )
  return rows


def devices(ask: bool) -> list[dict[str, Any]]:
  """What computes here."""
  if ask:
    from jaxnets.cli.devices import find_devices

    return [_row("devices", find_devices(None), True)]
  found = f"{os.cpu_count()} CPU cores"
  if shutil.which("nvidia-smi"):
    found += ", an NVIDIA driver"
  if list(Path("/dev").glob("accel*")) or list(Path("/dev").glob("vfio/[0-9]*")):
    found += ", TPU device files"
  return [_row("devices", found, True, "--devices asks JAX")]


def kernels() -> dict[str, Any]:
  """Which form the nets' operations have on a CPU, and why."""
  from jaxnets import onednn

  wish = os.environ.get("JAXNETS_KERNELS", "auto")
  if wish in ("plain", "definition"):
    return _row("CPU kernels", f"{wish}: switched off", True)
  try:
    parts = onednn.find()
    failure = onednn.failure(parts)
    if failure:
      raise onednn.UnavailableError(failure)
    if onednn.kept(parts).exists():
      ctypes.CDLL(str(onednn.kept(parts)))
  except (onednn.UnavailableError, OSError) as error:
    return _row("CPU kernels", "plain", False, str(error), "absent")
  state = "compiled" if onednn.kept(parts).exists() else "will be compiled at first use"
  return _row("CPU kernels", f"onednn {parts.dnnl_version}, {state}", True)


def places(data_dir: str | None) -> list[dict[str, Any]]:
  """Datasets, caches and disk."""
  from jaxnets import data
  from jaxnets.errors import DataError

  ready = []
  for name in data.names():
    try:
      data.info(name, data_dir)
      ready.append(name)
    except DataError:
      continue
  directory = data.data_directory(data_dir)
  cache = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
  free = shutil.disk_usage(Path.cwd()).free / 2**30
  return [
    _row("data_dir", str(directory), True),
    _row("data ready", " ".join(ready), True),
    _row("compile cache", str(cache), _writable(cache), "set JAX_COMPILATION_CACHE_DIR", "absent"),
    _row(
      "disk free here", f"{free:.0f} GiB", free > FREE_GIB, f"{FREE_GIB:g} GiB or more", "absent"
    ),
  ]


def _row(what: str, value: str, good: bool, fix: str = "", bad: str = "missing") -> dict[str, Any]:
  return {"what": what, "value": value, "state": "ok" if good else bad, "fix": "" if good else fix}


def _version(package: str) -> str:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return ""


def _writable(path: Path) -> bool:
  """Whether files can be made in `path`, or in the nearest folder above that exists."""
  while not path.exists() and path != path.parent:
    path = path.parent
  return os.access(path, os.W_OK)
