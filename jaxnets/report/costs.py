"""What a run costs, by its own word: counted, or measured where it ran."""

import statistics as plain
from collections.abc import Callable, Iterable
from typing import NamedTuple

from jaxnets.report import words
from jaxnets.runs import Run

KINDS: tuple[str, ...] = ("hand-made", "MLP", "ConvNet")


class Cost(NamedTuple):
  """Something that a row costs."""

  title: str
  axis: str  # what the numbers are
  written: Callable[[float], str]
  measured: bool = False  # by a clock or a meter, so that it compares on one machine only


def _sized(value: float) -> str:
  return f"{words.amount(value)}B" if value >= 999.5 else f"{value:.0f} B"


COSTS = {
  "macs": Cost("MACs", "multiply-adds of one image (MACs)", words.amount),
  "params": Cost("Parameters", "learned numbers", words.amount),
  "bytes": Cost("Bytes", "bytes: a net's weights as float32, a pipeline pickled", _sized),
  "latency": Cost("Latency", "measured time of one image, of a batch", words.short_time, True),
  "memory": Cost("Peak memory", "most memory resident while it was trained", _sized, True),
}


def kind_of(run: Run) -> str:
  """One of KINDS."""
  if "pipeline" in run.config:
    return KINDS[0]
  # The one family of nets without convolutions.
  return KINDS[1] if str(run.config.get("net", {}).get("name", "")).startswith("mlp") else KINDS[2]


def mean(values: Iterable[float | None]) -> float | None:
  """The mean of what is known; a whole number where all are the same one."""
  known = [value for value in values if value is not None]
  if not known:
    return None
  return known[0] if len(set(known)) == 1 else plain.fmean(known)


def _bytes(run: Run) -> float | None:
  if "pipeline" in run.config:
    return run.summary.get("model_bytes")
  params = run.summary.get("params")
  return None if params is None else 4 * params


def _latency(run: Run) -> float | None:
  if "pipeline" in run.config:
    parts = [run.summary.get(f"seconds_{name}_per_image") for name in ("of_features", "to_predict")]
    return None if None in parts else sum(part for part in parts if part is not None)
  return run.record.get("inference", {}).get("seconds_per_image")


def _memory(run: Run) -> float | None:
  """None of a member of a program: its process held the others too."""
  return None if run.record.get("members") else run.record.get("peak_resident_bytes")


READ: dict[str, Callable[[Run], float | None]] = {
  "macs": lambda run: run.summary.get("macs"),
  "params": lambda run: run.summary.get("params"),
  "bytes": _bytes,
  "latency": _latency,
  "memory": _memory,
}


def hardware_of(run: Run) -> str:
  """ "cpu, 2 threads", "8 x TPU v4"."""
  devices = str(run.record.get("devices", "not said")).removeprefix("1 x ")
  threads = run.record.get("threads")
  if devices.endswith("cpu") and threads:
    devices += f", {threads} thread{'' if str(threads) == '1' else 's'}"
  hosts = run.record.get("hosts", 1)
  return devices if hosts == 1 else f"{devices} on {hosts} hosts"
