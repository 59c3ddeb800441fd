"""Milliseconds per step on a CPU in float32: ours, ours in plain JAX, PyTorch eager and compiled.

Each framework is a process of its own (`workers`). All get the same images, build, and then take
turns of about a second: ours, plain, eager, compiled, ours, ... Ratios are of one repetition, so
that what slows the machine for a while slows both sides. Every mode has fresh processes, so that
peak memory is its own; compilers find empty caches. PyTorch computes channels last, with the
threads it chooses.
"""

import contextlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import turns
from benchmarks.records import TIME_IS_UP, Deadline, say, show, spread, versions, write
from benchmarks.turns import Worker
from benchmarks.workers import Make, Work
from jaxnets.nets import variant

BATCHES = {
  "cifar_resnet20": 128,
  "cifar_resnet110": 64,
  "resnet18": 16,
  "resnet50": 8,
  "vgg16": 8,
  "googlenet_bn": 16,
  "alexnet": 64,
  "alexnet_owt": 64,
  "mlp": 128,
}
SIZES = {"mlp": 32}  # px, where it is not the published one
SMALL = {"cifar_resnet20": {"depth": 8}, "mlp": {"hidden": 16}}  # with 8 images of 8 px
MODES = ("train", "infer")
OURS = {"ours": "auto", "plain": "plain"}  # values of JAXNETS_KERNELS
TORCH = ("torch_eager", "torch_compile")
SETTINGS = ("OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "XLA_", "MALLOC_")


class Plan(NamedTuple):
  """How much is timed, and beside what."""

  modes: tuple[str, ...]
  reps: int
  torch_python: str  # an interpreter that has PyTorch
  small: bool
  turn_seconds: float = 1.5
  rest_seconds: float = 0.1  # between turns: threads of OpenMP go on spinning for a while


def measure(out: Path, names: tuple[str, ...], plan: Plan, until: Deadline) -> int:
  """Times the nets called `names`; a record each in out/speed.

  Returns 0; 1 when something of ours failed; 75 when time was up before all were begun.
  """
  (out / "speed").mkdir(parents=True, exist_ok=True)
  frameworks = (*OURS, *TORCH)
  if not has_torch(plan.torch_python):
    say("PyTorch is not there: name an interpreter that has it with --torch_python")
    frameworks = tuple(OURS)
  rows, skipped, failed = [], [], False
  for name in names:
    if until.left() <= 0:
      skipped.append(name)
      continue
    record = compare(out, name, frameworks, plan, until)
    rows += table_rows(record)
    failed |= any("error" in record[m]["frameworks"]["ours"] for m in MODES if m in record)
  show(
    ("net", "mode", "framework", "ms/step", "min", "max", "CPU ms", "compile s", "peak MB",
     "x better PyTorch"),
    rows,
  )  # fmt: skip
  if skipped:
    say(f"not run, time is up: {', '.join(skipped)}\nGo on with --nets={','.join(skipped)}")
  return 1 if failed else TIME_IS_UP if skipped else 0


def compare(
  out: Path, name: str, frameworks: tuple[str, ...], plan: Plan, until: Deadline
) -> dict[str, Any]:
  """One net in all frameworks; the record is written after each mode."""
  given = work(name, plan.small)
  record = {**given._asdict(), "small": plan.small, "reps": plan.reps, "machine": machine()}
  record["settings"] = {k: v for k, v in os.environ.items() if k.startswith(SETTINGS)}
  for mode in plan.modes:
    if until.left() <= 0:
      say(f"{name}: no time for {mode}")
      break
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
      workers = {
        framework: stack.enter_context(started(framework, name, plan, out))
        for framework in frameworks
      }
      record[mode] = {"load_before": load, "frameworks": take_turns(workers, mode, plan, until)}
    add_rates(record[mode], given.batch)
    found = {f["torch"] for f in record[mode]["frameworks"].values() if "torch" in f}
    record["versions"] = versions() | dict.fromkeys(["torch"] * len(found), ", ".join(found))
    write(out, "speed", name, record)
    say(f"{name}: {mode} done; other processes took up to {other_cpus(record[mode]):.1f} cores")
  return record


def work(name: str, small: bool) -> Work:
  """The published net at its batch, or a tiny one."""
  row = variant(name)
  if small:
    return Work(name, SMALL[name], 8, 8, row.classes, "float32")
  return Work(name, {}, SIZES.get(name, row.image_size), BATCHES[name], row.classes, "float32")


def take_turns(
  workers: Mapping[str, Worker], mode: str, plan: Plan, until: Deadline
) -> dict[str, dict[str, Any]]:
  """{framework: facts and "turns"}; one that fails has an "error" and no turns."""
  facts = turns.build(workers, mode, until)
  steps = dict.fromkeys(workers, 1)
  for share in (0.1, 1.0):  # one step says little where it is short
    tried = turns.alternate(workers, facts, mode, steps, 1, until)
    steps = {
      framework: max(1, round(share * plan.turn_seconds * steps[framework] / answers[0]["seconds"]))
      for framework, answers in tried.items()
    }
  taken = turns.alternate(workers, facts, mode, steps, plan.reps, until, plan.rest_seconds)
  for framework, answers in taken.items():
    facts[framework] |= {"steps": steps[framework], "turns": answers}
  return facts


def add_rates(result: dict[str, Any], batch: int) -> None:
  """Turns into times per step, memory and, of ours and plain, ratios; in place.

  A ratio is PyTorch's time over ours in the same repetition: above 1, ours is the quicker.
  "better" is the form of PyTorch with the lower median.
  """
  frameworks = result["frameworks"]
  times = {}
  for name, facts in frameworks.items():
    answers = facts.pop("turns", ())
    if "error" in facts:
      continue
    times[name] = [1000 * answer["seconds"] / facts["steps"] for answer in answers]
    facts |= {
      "ms_per_step": spread(times[name]),
      "cpu_ms_per_step": spread([1000 * a["cpu_seconds"] / facts["steps"] for a in answers]),
      "images_per_second": spread([1000 * batch / ms for ms in times[name]]),
      "idle_cpu_seconds": spread([a["idle_cpu_seconds"] for a in answers]),
      "other_cpus": spread([a["other_cpu_seconds"] / a["seconds"] for a in answers]),
      "peak_bytes": max(a["peak_bytes"] for a in answers),
    }
  peers = [name for name in TORCH if name in times]
  if not peers:
    return
  result["better"] = min(peers, key=lambda name: frameworks[name]["ms_per_step"]["median"])
  for own in set(OURS) & set(times):
    frameworks[own]["ratio"] = {
      name: spread([b / a for a, b in zip(times[own], times[name], strict=True)]) for name in peers
    }
    frameworks[own]["same_parameters"] = all(
      frameworks[name]["parameters"] == frameworks[own]["parameters"] for name in peers
    )


def other_cpus(result: dict[str, Any]) -> float:
  """Most cores that other processes kept busy during a turn: more than a tenth disturbs."""
  found = [f["other_cpus"]["max"] for f in result["frameworks"].values() if "other_cpus" in f]
  return max(found, default=0.0)


def table_rows(record: dict[str, Any]) -> Iterator[tuple[str, ...]]:
  """Rows of the closing table."""
  for mode in MODES:
    result = record.get(mode, {"frameworks": {}})
    for framework, facts in result["frameworks"].items():
      start = (record["net"], mode, framework)
      if "error" in facts:
        say(f"{record['net']} {mode} {framework}: {facts['error']}")
        yield (*start, "failed", *("",) * 6)
        continue
      yield (
        *start,
        *(f"{facts['ms_per_step'][k]:.2f}" for k in ("median", "min", "max")),
        f"{facts['cpu_ms_per_step']['median']:.2f}",
        f"{facts['compile_seconds']:.1f}",
        f"{facts['peak_bytes'] / 1e6:,.0f}",
        f"{facts['ratio'][result['better']]['median']:.2f}" if "ratio" in facts else "",
      )


@contextlib.contextmanager
def started(framework: str, net: str, plan: Plan, out: Path) -> Iterator[Worker]:
  """The process of a framework and a net; its compilers' caches are empty and go with it."""
  python = plan.torch_python if framework in TORCH else sys.executable
  script = Path(__file__).with_name("cpu.py")
  command = [python, str(script), "worker", framework, net, *["--small"] * plan.small]
  environment = os.environ | {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
  environment["JAXNETS_KERNELS"] = OURS.get(framework, "")
  with contextlib.ExitStack() as stack:
    if not plan.small:
      environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
      environment["TORCHINDUCTOR_CACHE_DIR"] = stack.enter_context(tempfile.TemporaryDirectory())
    log = out / "speed" / f"{net}.{framework}.log"
    yield stack.enter_context(turns.worker(framework, command, log, environment))


def maker(framework: str, net: str, small: bool) -> Make:
  """What builds the programs of a framework on a CPU; imports it, and no other."""
  from benchmarks import workers

  given = work(net, small)
  if framework in OURS:
    return lambda mode: workers.ours(mode, given)
  from benchmarks import peers, torch_nets

  def make(mode: str):
    model = torch_nets.build(net, given.size, given.classes, **given.fields)
    return peers.make(mode, model, given, framework == "torch_compile")

  return make


def has_torch(python: str) -> bool:
  """Whether PyTorch is where that interpreter looks."""
  found = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
  try:
    return subprocess.run([python, "-c", found], check=False).returncode == 0
  except OSError:
    return False


def machine() -> dict[str, Any]:
  """What computes: processor, cores that this process may use, memory."""
  facts = {}
  with contextlib.suppress(OSError):
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in first)}
  flags = facts.get("flags", "").split()
  return {
    "cpu": facts.get("model name", platform.processor()),
    "family_model": f"{facts.get('cpu family', '?')}/{facts.get('model', '?')}",
    "vectors": [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_tile") if f in flags],
    "cores": len(os.sched_getaffinity(0)),
    "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    "system": platform.system(),
  }
