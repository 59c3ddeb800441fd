"""Images per second, ours and torchvision's, taking turns on one device.

Each framework is a process of its own (`workers`), told when to compute: ours, eager, compiled,
ours, eager, compiled, ... The ratios are of neighbouring repetitions, so that a clock that drifts
cancels. Both get float32 images that lie on the device, compute in bfloat16, and step by SGD with
momentum and weight decay; ours also counts top-1, top-5 and the norm of the gradient.
"""

import contextlib
import math
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import turns
from benchmarks.records import TIME_IS_UP, Deadline, say, show, spread, write
from benchmarks.turns import DeviceFullError, Worker
from jaxnets.errors import JaxnetsError

NETS = ("resnet50", "resnet18", "alexnet_owt", "vgg16", "googlenet_tv", "resnet152")
SMALL_NETS = ("resnet18",)
MODES = ("train", "infer")

# Bytes of activations that a train step moves per image at 224 px in bfloat16: over outputs O and
# inputs I of the convolutions and outputs B of the units, in elements, 2 (11 O + 3 I + 3 B) when
# batch norm takes passes of its own, 2 (6 O + 3 I + 3 B) when it is fused into the convolutions.
TRAFFIC = {"resnet50": (342e6, 230e6), "resnet18": (72.3e6, 47.4e6)}


class Plan(NamedTuple):
  """How much is timed."""

  batch: int
  steps: int  # in a repetition
  reps: int


SMALL = Plan(8, 2, 3)


def measure(out: Path, names: tuple[str, ...], plan: Plan, small: bool, until: Deadline) -> int:
  """Times the nets called `names`, train and forward; a record each in out/speed.

  Returns 0; 1 when something of ours failed; 75 when time was up before all were begun.
  """
  (out / "speed").mkdir(parents=True, exist_ok=True)
  limits = ceilings(out, small, until)
  rows, skipped, failed = [], [], False
  for name in names:
    if until.left() <= 0:
      skipped.append(name)
      continue
    record = fitting(out, name, plan, limits, small, until)
    rows += table_rows(record)
    failed |= any("error" in record.get(mode, {}).get("ours", {}) for mode in MODES)
  print(
    f"\n{limits['device']}: copies {limits['copy']['median'] / 1e9:,.0f} GB/s, "
    f"multiplies {limits['matmul']['median'] / 1e12:,.2f} TFLOP/s (bfloat16)\n"
  )
  show(("net", "mode", "framework", "batch", "images/s", "min", "max", "ms/step", "ours/it"), rows)
  if skipped:
    say(f"not run, time is up: {', '.join(skipped)}\nGo on with --nets={','.join(skipped)}")
  return 1 if failed else TIME_IS_UP if skipped else 0


def ceilings(out: Path, small: bool, until: Deadline) -> dict[str, Any]:
  """The rates that nothing exceeds: bytes/s of a copy, FLOP/s of a product; recorded."""
  record: dict[str, Any] = {}
  with started("ours", "ceilings", 1, small, out) as process:
    for mode in ("copy", "matmul"):
      facts = turns.ask(process, f"build {mode}", until)
      if "error" in facts:
        raise JaxnetsError(f"no ceiling, {mode}: {facts['error']}")
      steps = 2 if small else 20
      seconds = [turns.ask(process, f"go {mode} {steps}", until)["seconds"] for _ in range(7)]
      record |= {
        "device": facts["device"],
        mode: spread([steps * facts["work"] / s for s in seconds]),
      }
  write(out, "speed", "ceilings", record)
  return record


def fitting(
  out: Path, name: str, plan: Plan, limits: dict, small: bool, until: Deadline
) -> dict[str, Any]:
  """The record of a net at the batch of the plan, or at the largest half of it that fits."""
  while True:
    try:
      return compare(out, name, plan, limits, small, until)
    except DeviceFullError:
      say(f"{name}: a batch of {plan.batch} does not fit")
      if plan.batch == 1:
        raise
      plan = plan._replace(batch=plan.batch // 2)


def compare(
  out: Path, name: str, plan: Plan, limits: dict, small: bool, until: Deadline
) -> dict[str, Any]:
  """One net in all frameworks; the record is written after each mode."""
  others, peer = frameworks(small)
  record = {"net": name, "dtype": "bfloat16", **plan._asdict(), "small": small}
  record |= {"device": limits["device"], "peer": peer}
  with contextlib.ExitStack() as stack:
    workers = {
      framework: stack.enter_context(started(framework, name, plan.batch, small, out))
      for framework in ("ours", *others)
    }
    for mode in MODES:
      if until.left() <= 0:
        say(f"{name}: no time for {mode}")
        break
      record[mode] = take_turns(workers, mode, plan, until)
      add_limits(record[mode], mode, limits, () if small else TRAFFIC.get(name, ()))
      write(out, "speed", name, record)
      say(f"{name}: {mode} done")
  return record


def frameworks(small: bool) -> tuple[tuple[str, ...], str]:
  """Which frameworks there are beside ours, and what they run or why there are none."""
  missing = [m for m in ("torch", "torchvision") if find_spec(m) is None]
  if small and "torch" not in missing:
    return ("torch_eager",), "a stand-in of three convolutions: the ratio says nothing"
  if missing:
    return (), f"none; not installed: {', '.join(missing)}"
  return ("torch_eager", "torch_compile"), "torchvision"


def take_turns(
  workers: dict[str, Worker], mode: str, plan: Plan, until: Deadline
) -> dict[str, Any]:
  """{framework: facts, rates and ratios} of one mode; one that fails is left out of the turns."""
  facts = turns.build(workers, mode, until)
  ours = facts["ours"].get("platform")
  for framework, answer in facts.items():
    platform = answer.get("platform")
    if platform and ours and platform != ours:
      facts[framework] = {"error": f"computes on {platform}, ours on {ours}"}
  steps = dict.fromkeys(workers, plan.steps)
  taken = turns.alternate(workers, facts, mode, steps, plan.reps, until)
  seconds = {framework: [turn["seconds"] for turn in done] for framework, done in taken.items()}
  images = plan.batch * plan.steps
  for framework, times in seconds.items():
    facts[framework] |= {
      "images_per_second": spread([images / s for s in times]),
      "ms_per_step": spread([1000 * s / plan.steps for s in times]),
    }
    if framework != "ours" and "ours" in seconds:
      facts[framework] |= {
        "ours_over_it": spread([b / a for a, b in zip(seconds["ours"], times, strict=True)]),
        "same_parameters": facts[framework]["parameters"] == facts["ours"]["parameters"],
      }
  return facts


def add_limits(
  facts: dict[str, Any], mode: str, limits: dict[str, Any], traffic: tuple[float, ...]
) -> None:
  """Adds what share of the device's limits every framework reaches, in place.

  mfu: of the rate of the matrix product, with 2 FLOPs a multiply-add, three times in training.
  of_traffic_limit: of the rate of copying; `traffic` is a row of `TRAFFIC`, or ().
  """
  flops = (6 if mode == "train" else 2) * facts["ours"].get("macs", math.nan)
  for values in facts.values():
    if "images_per_second" not in values:
      continue
    rate = values["images_per_second"]["median"]
    values["mfu"] = rate * flops / limits["matmul"]["median"]
    if mode == "train" and traffic:
      shares = [rate * bytes_moved / limits["copy"]["median"] for bytes_moved in traffic]
      values["of_traffic_limit"] = dict(zip(("unfused", "fused"), shares, strict=True))


def table_rows(record: dict[str, Any]) -> Iterator[tuple[str, ...]]:
  """Rows of the closing table."""
  for mode in MODES:
    for framework, facts in record.get(mode, {}).items():
      start = (record["net"], mode, framework, str(record["batch"]))
      if "error" in facts:
        say(f"{record['net']} {mode} {framework}: {facts['error']}")
        yield (*start, "failed", "", "", "", "")
        continue
      rate, ratio = facts["images_per_second"], facts.get("ours_over_it")
      yield (
        *start,
        *(f"{rate[k]:,.0f}" for k in ("median", "min", "max")),
        f"{facts['ms_per_step']['median']:.2f}",
        f"{ratio['median']:.2f}" if ratio else "",
      )


def started(
  framework: str, net: str, batch: int, small: bool, out: Path
) -> contextlib.AbstractContextManager[Worker]:
  """The process of a framework and a net."""
  script = Path(__file__).with_name("gpu.py")
  command = [sys.executable, str(script), "worker", framework, net, f"--batch={batch}"]
  log = out / "speed" / f"{net}.{framework}.log"
  return turns.worker(framework, command + ["--small"] * small, log)
