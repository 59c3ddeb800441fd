"""What a measurement leaves behind: a JSON file, a table on stdout; and how long it may take."""

import hashlib
import math
import os
import shlex
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets import runs
from jaxnets.errors import ConfigError, did_you_mean

ROOT = Path(__file__).resolve().parents[1]
TIME_IS_UP = 75  # exit code: the same command goes on


class Deadline(NamedTuple):
  """The moment after which nothing new is begun."""

  at: float  # of time.monotonic(); inf for none

  def left(self) -> float:
    """Seconds."""
    return self.at - time.monotonic()


def deadline(minutes: float) -> Deadline:
  """The given minutes from now; 0 is none."""
  return Deadline(time.monotonic() + 60 * minutes if minutes else math.inf)


def chosen(names: Sequence[str], choices: Iterable[str], flag: str = "--nets") -> tuple[str, ...]:
  """The names asked for, or all; ConfigError for one that is not among the choices."""
  choices = tuple(choices)
  for name in names:
    if name not in choices:
      raise ConfigError(
        f'{flag} has no "{name}".{did_you_mean(name, choices)}\nChoices: {" ".join(choices)}'
      )
  return tuple(names) or choices


def stamp() -> dict[str, Any]:
  """What every record is known by, without importing JAX."""
  return {
    "command": command(sys.argv),
    "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    "code": runs.code_hash(),
    "benchmark": benchmark_hash(),
    "python": sys.version.split()[0],
    "xla_flags": os.environ.get("XLA_FLAGS", ""),
    "versions": versions(),
  }


def command(arguments: Sequence[str]) -> str:
  """What was called, without the folders of the machine: of an absolute path, the last name."""

  def told(argument: str) -> str:
    flag, equals, value = argument.rpartition("=")
    path = Path(value)
    if not path.is_absolute():
      return argument
    inside = path.is_relative_to(ROOT) and path != ROOT
    return flag + equals + str(path.relative_to(ROOT) if inside else path.name)

  return shlex.join(["python", *map(told, arguments)])


def versions() -> dict[str, str]:
  """Of the libraries that are installed."""
  found = {}
  for name in ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "torchvision"):
    try:
      found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      continue
  return found


def benchmark_hash() -> str:
  """SHA-256 of the files of this folder, 12 hexadecimal digits."""
  sums = hashlib.sha256()
  for path in sorted(Path(__file__).parent.glob("*.py")):
    sums.update(path.name.encode() + path.read_bytes())
  return sums.hexdigest()[:12]


def write(out: Path, part: str, name: str, values: dict[str, Any]) -> None:
  """Writes out/part/name.json: stamp and values, replacing a former record."""
  path = out / part / f"{name}.json"
  path.parent.mkdir(parents=True, exist_ok=True)
  runs.write_json(path, _plain(stamp() | values))


def spread(values: Sequence[float]) -> dict[str, float]:
  """Median, least, largest and how many."""
  return {
    "median": statistics.median(values),
    "min": min(values),
    "max": max(values),
    "n": len(values),
  }


def show(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
  """A table of aligned columns on stdout."""
  lines = [[str(x) for x in row] for row in (header, *rows)]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  for line in lines:
    print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())
  sys.stdout.flush()


def say(text: str) -> None:
  """Progress, on stderr."""
  print(text, file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
  """The value with non-finite numbers as words, for which JSON has no sign."""
  if isinstance(value, dict):
    return {k: _plain(v) for k, v in value.items()}
  if isinstance(value, list | tuple):
    return [_plain(v) for v in value]
  if isinstance(value, float) and not math.isfinite(value):
    return str(value)
  return value
