"""Does the device compute what the CPU computes?

For each net, on fresh random images, the forward pass and the gradient of one train step:

  float32    device against CPU, both at the highest precision of matrix products
  default    device at its default precision (TF32 on recent GPUs), forward pass
  bfloat16   device against float32 on the CPU, forward pass
  smooth     gradients of the net with one unit a stage, GELU and average pooling: float32 and
             bfloat16. Those of the net as it is say little: rounding flips ReLUs and maxima, and
             tens of normalised layers amplify that. On one CPU with the images in another order
             ResNet-50's float32 gradient moves by 2e-2 (smooth: 3e-6), and bfloat16 moves it by
             1.3 times its own length (smooth: 0.05), at 64 px.
  again      the same step twice on the device: same bits, or the difference
  mesh       (one net) jit over all devices against shard_map with the matching norm_group

Errors are |a - b| / |b| over all values of a tree, and of its worst array.
"""

import math
import secrets
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.programs import Case, Program, Result, compiled, inputs, lower, run
from benchmarks.records import TIME_IS_UP, Deadline, say, show, write

_SHORT = (1, 1, 1, 1)
CASES = {
  "resnet18": Case({}, 64, 16, _SHORT),
  "resnet50": Case({}, 64, 16, _SHORT),
  "plain34": Case({}, 64, 16, _SHORT),
  "vgg16": Case({"width": 0.5}, 64, 16, (1, 1, 1, 1, 1)),
  "googlenet_bn": Case({}, 96, 16, (1, 1, 1)),
  "alexnet": Case({"width": 0.5}, 227, 16),
  "alexnet_owt": Case({"width": 0.5}, 224, 16),
}
_TINY = {"widths": (16, 32), "units": (1, 1), "stem_width": 8}
SMALL = {
  "resnet18": Case(_TINY, 32, 8),
  "resnet50": Case(_TINY, 32, 8),
  "plain34": Case(_TINY, 32, 8),
  "vgg16": Case({"width": 0.0625, "units": (1, 1, 1, 1, 1), "hidden": 256}, 32, 8),
  "googlenet_bn": Case({"width": 0.125, "units": (1, 1, 1), "branches": ("1x1", "3x3")}, 64, 8),
  "alexnet": Case({"width": 0.0625}, 67, 8),
  "alexnet_owt": Case({"width": 0.0625}, 64, 8),
}
MESH_NET = "resnet18"

EXACT = {"logits": 1e-3, "gradient": 1e-3, "gradient_worst": 5e-3, "stats": 1e-3}
# Ten times what another order of the images does; a gradient of something else has an error of 1.
FLIPPED = EXACT | {"gradient": 0.25, "gradient_worst": 0.5}
# Times the error that bfloat16 makes on the CPU: the same rounding, other orders of summation.
ROUNDED = 2.0


def check(out: Path, names: tuple[str, ...], seed: int, small: bool, until: Deadline) -> int:
  """Runs all checks of the nets called `names`; exit code 1 if any fails.

  Args:
    out: folder of the records.
    names: keys of `CASES`.
    seed: of parameters and images; 0 draws one.
    small: for one CPU and under a minute.
    until: no net is begun after this.
  """
  cases, rows, skipped = SMALL if small else CASES, [], []
  seed = seed or secrets.randbits(31)
  device = jax.devices()[0]
  for name in names:
    if until.left() <= 0:
      skipped.append(name)
      continue
    start = time.monotonic()
    try:
      checks = check_net(name, cases[name], seed, device)
      if name == MESH_NET:
        checks |= check_mesh(name, smoothed(cases[name]), seed)
    except Exception as error:  # the other nets are still worth their time
      say(f"{name}: {type(error).__name__}: {error}")
      checks = {"runs": verdict(math.nan, 0.0) | {"raised": f"{type(error).__name__}: {error}"}}
    facts = {"net": name, **cases[name]._asdict(), "seed": seed, "device": device.device_kind}
    seconds = round(time.monotonic() - start, 1)
    passed = all(c["passed"] for c in checks.values())
    write(out, "check", name, facts | {"passed": passed, "seconds": seconds, "checks": checks})
    rows += [(name, key, *_cells(c)) for key, c in checks.items()]
    say(f"{name}: {'ok' if passed else 'FAILED'} in {seconds} s")
  show(("net", "check", "error", "bound", "verdict"), rows)
  if skipped:
    say(f"not run, time is up: {', '.join(skipped)}\nGo on with --nets={','.join(skipped)}")
  if any(row[-1] != "ok" for row in rows):
    return 1
  return TIME_IS_UP if skipped else 0


def check_net(name: str, case: Case, seed: int, device: jax.Device) -> dict[str, dict]:
  """{check: error, bound, passed} of one net on one device."""
  cpu = jax.devices("cpu")[0]
  smooth = smoothed(case)
  own, other = inputs(name, case, seed, case.batch), inputs(name, smooth, seed, case.batch)

  def on(place: jax.Device) -> dict[str, Program]:
    return {
      "float32": lower(name, case, "float32", [place], own, precision="highest"),
      "bfloat16": lower(name, case, "bfloat16", [place], own, parts=("forward",)),
      "smooth float32": lower(
        name, smooth, "float32", [place], other, precision="highest", parts=("step",)
      ),
      "smooth bfloat16": lower(name, smooth, "bfloat16", [place], other, parts=("step",)),
    }

  lowered = {f"cpu {k}": program for k, program in on(cpu).items()}
  if device != cpu:
    lowered |= on(device)
  lowered["default"] = lower(name, case, "float32", [device], own, parts=("forward",))
  programs = compiled(lowered)
  if device == cpu:
    programs |= {k.removeprefix("cpu "): program for k, program in programs.items()}
  results = {k: run(p, *(other if "smooth" in k else own)) for k, p in programs.items()}
  exact, smooth_exact = results["cpu float32"], results["cpu smooth float32"]
  rounded = times(ROUNDED, errors(results["cpu bfloat16"], exact))
  smooth_rounded = times(ROUNDED, errors(results["cpu smooth bfloat16"], smooth_exact))
  against = {
    "float32": (exact, FLIPPED),
    "default": (exact, rounded),
    "bfloat16": (exact, rounded),
    "smooth float32": (smooth_exact, EXACT),
    "smooth bfloat16": (smooth_exact, smooth_rounded),
  }
  checks = {}
  for kind, (reference, bound) in against.items():
    for part, error in errors(results[kind], reference).items():
      checks[f"{kind} {part}"] = verdict(error, bound[part])
  for kind, arguments in (("float32", own), ("smooth bfloat16", other)):
    first, again = results[kind], run(programs[kind], *arguments)
    same = all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(again)))
    found = verdict(errors(again, first)["gradient"], against[kind][1]["gradient"])
    checks[f"again {kind}"] = found | {"same_bits": same}
  return checks


def smoothed(case: Case) -> Case:
  """The case without kinks and, where there are units, without depth."""
  fields = case.fields | {"activation": "gelu", "pooling": "average"}
  return case._replace(fields=fields | ({"units": case.units} if case.units else {}))


def check_mesh(name: str, case: Case, seed: int) -> dict[str, dict]:
  """jit over all devices against shard_map, batch-norm groups being one device's images."""
  devices = jax.devices()
  arguments = inputs(name, case, seed, case.batch * len(devices))
  lowered = {
    form: lower(name, case, "float32", devices, arguments, precision="highest", form=form)
    for form in ("jit", "shard_map")
  }
  jitted, mapped = (run(p, *arguments) for p in compiled(lowered).values())
  found = errors(mapped, jitted)
  return {
    f"mesh {part}": verdict(error, EXACT[part]) | {"devices": len(devices)}
    for part, error in found.items()
    if part != "logits"  # the forward pass is one and the same
  }


def errors(result: Result, reference: Result) -> dict[str, float]:
  """Relative errors of what both have: logits, gradient (whole, worst array), running averages."""
  found = {}
  if result.logits is not None:
    found["logits"] = relative(result.logits, reference.logits)
  if result.gradient is not None:
    found["gradient"] = relative(result.gradient, reference.gradient)
    found["gradient_worst"] = worst(result.gradient, reference.gradient)
  if jax.tree.leaves(result.stats):
    found["stats"] = relative(result.stats, reference.stats)
  return found


def times(factor: float, found: dict[str, float]) -> dict[str, float]:
  """Every error times the factor."""
  return {part: factor * error for part, error in found.items()}


def relative(tree: Any, reference: Any) -> float:
  """|tree - reference| / |reference| over all values, in float64; NaN if anything is."""
  pairs = [
    (np.asarray(a, np.float64), np.asarray(b, np.float64))
    for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(reference), strict=True)
  ]
  difference = sum(float(np.square(a - b).sum()) for a, b in pairs)
  norm = sum(float(np.square(b).sum()) for _, b in pairs)
  return math.sqrt(difference / norm) if norm else math.nan


def worst(tree: Any, reference: Any) -> float:
  """The largest relative error of an array; those of next to no norm count by the tree's."""
  floor = 1e-3 * math.sqrt(sum(float(np.square(b).sum()) for b in jax.tree.leaves(reference)))
  found = [
    float(np.linalg.norm(np.subtract(a, b, dtype=np.float64)))
    / max(float(np.linalg.norm(b)), floor)
    for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(reference), strict=True)
  ]
  return max(found) if all(map(math.isfinite, found)) else math.nan


def verdict(error: float, bound: float) -> dict[str, Any]:
  """Passes when the error is a number and within the bound: NaN never does."""
  return {"error": error, "bound": bound, "passed": bool(error <= bound)}


def _cells(check: dict[str, Any]) -> tuple[str, str, str]:
  note = {True: " same bits", False: " other bits"}.get(check.get("same_bits"), "")
  return (
    f"{check['error']:.1e}{note}",
    f"{check['bound']:.1e}",
    "ok" if check["passed"] else "FAILED",
  )
