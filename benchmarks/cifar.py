"""CIFAR-10 by the paper's recipe, with the images on the device and hundreds of steps a program.

He et al. 2015, section 4.2, as in experiments/cifar10_resnet.py: the same initialisation, order,
augmentation and step as `launch.py --seed=S`. One program takes a chunk of steps, of about an
epoch, by `lax.scan`; the host gives it the order. The state is written between chunks, so that the
same command goes on after a kill: to the same bits where sums have a fixed order (on GPUs with
XLA_FLAGS=--xla_gpu_deterministic_ops=true). Not for CPUs, where XLA's loops are slow.
"""

import json
import math
import os
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import packs
from benchmarks.recipes import Functions, Images, Recipe, build, evaluate, means
from benchmarks.records import TIME_IS_UP, Deadline, say, show, spread, write
from jaxnets import runs
from jaxnets.data import order
from jaxnets.errors import ConfigError
from jaxnets.train.state import State, digest

PAPER = {"resnet20": 8.75, "resnet56": 6.97}  # test error, %, table 6
SAVE_SECONDS = 5.0  # a chunk may take less than its state takes to be written
NETS = ("resnet20", "plain20", "resnet56", "plain56")


class Setting(NamedTuple):
  """What all runs of a call share."""

  out: Path
  whole: packs.Set
  resident: dict[str, Images]  # by role
  recipe: Recipe
  until: Deadline


def train_all(
  out: Path,
  data: Path | None,
  names: tuple[str, ...],
  seeds: int,
  recipe: Recipe,
  small: bool,
  until: Deadline,
) -> int:
  """Trains all nets with seed 0, then all with seed 1, ...; a record each in out/cifar.

  Returns 0, or 75 when time was up before all were trained.
  """
  if data is None and not small:
    raise ConfigError("cifar wants --data\nMake it: python benchmarks/gpu.py pack --out=packs")
  whole = packs.synthetic() if data is None else packs.read(data)
  resident = {role: jax.device_put(tuple(split)) for role, split in whole.splits.items()}
  setting = Setting(out / "cifar", whole, resident, recipe, until)
  setting.out.mkdir(parents=True, exist_ok=True)
  functions: dict[str, Functions] = {}
  records, stopped = [], False
  for seed, name in ((seed, name) for seed in range(seeds) for name in names):
    record = finished(setting, name, seed)
    if record is None and not stopped:
      if name not in functions:
        # The next net compiles for as long as those before, or for longer.
        longest = max((f.compile_seconds for f in functions.values()), default=-math.inf)
        stopped = until.left() <= longest
      if not stopped:
        functions[name] = functions.get(name) or build(name, whole, recipe, resident["train"])
        record = train(setting, name, seed, functions[name])
        stopped = record is None
    if record is not None:
      records.append(record)
  report(setting, names, records)
  if stopped:
    say("time is up: the same command goes on")
  return TIME_IS_UP if stopped else 0


def train(setting: Setting, name: str, seed: int, functions: Functions) -> dict[str, Any] | None:
  """One run, from where its file left it; None when time is up, with the state in the file."""
  recipe, steps = setting.recipe, functions.steps
  path = setting.out / f"{name}-seed{seed}.npz"
  init_key, key = jax.random.split(jax.random.key(seed))  # as in train/loop.py
  own = identity(setting, name, seed)
  left = load(path, own, jax.eval_shape(functions.init, init_key))
  state, rows = left or (functions.init(init_key), [])
  slowest, before, saved_at = 0.0, len(rows), -math.inf
  for first in range(len(rows) * steps, recipe.steps, steps):
    # One chunk at the least, so that every call leads on.
    if len(rows) > before and setting.until.left() <= slowest:
      save(path, own, state, rows)
      return None
    start = time.monotonic()
    state, row, finite = take_chunk(setting, functions, state, seed, key, first)
    if not finite.all():
      step = first + 1 + int(np.argmin(finite))
      return finish(setting, own, functions, rows, {"state": "diverged", "diverged_at": step})
    rows.append(row)
    if time.monotonic() - saved_at > SAVE_SECONDS or row["step"] == recipe.steps:
      save(path, own, state, rows)
      saved_at = time.monotonic()
    slowest = max(slowest, time.monotonic() - start)
    if len(rows) % 10 == 0 or row["step"] == recipe.steps:
      say_row(name, seed, recipe.steps, row)
  # The one look at the test images.
  found = {role: evaluate(functions, state, setting.resident[role]) for role in packs.ROLES}
  last = {f"final_{role}_{k}": v for role, values in found.items() for k, v in values.items()}
  last |= {"state": "done", "params_sha256": digest(state.params)}
  return finish(setting, own, functions, rows, last)


def take_chunk(
  setting: Setting, functions: Functions, state: State, seed: int, key: jax.Array, first: int
) -> tuple[State, dict[str, Any], np.ndarray]:
  """A chunk of steps from step `first` on, timed: state, row of the curve, finite [steps]."""
  batch, resident = setting.recipe.batch, setting.resident
  step, count = first + functions.steps, len(resident["train"][1])
  start = time.monotonic()
  positions = np.arange(first * batch, step * batch).reshape(functions.steps, batch)
  indices = order.indices(seed, positions, count).astype(np.int32)
  state, metrics = functions.chunk(
    state, *resident["train"], indices, positions.astype(np.uint32), key
  )
  metrics = jax.device_get(metrics)
  seconds = time.monotonic() - start
  validation = evaluate(functions, state, resident["validation"])
  row = {
    "step": step,
    "epoch": step * batch / count,
    "lr": float(functions.rate(step - 1)),
    **{f"train_{k}": v for k, v in means(metrics).items()},
    **{f"validation_{k}": v for k, v in validation.items()},
    "grad_norm": float(metrics["grad_norm"][-1]),
    "seconds": seconds,
    "images_per_second": functions.steps * batch / seconds,
  }
  return state, row, metrics["finite"]


def finish(
  setting: Setting, own: dict[str, Any], functions: Functions, rows: list, last: dict[str, Any]
) -> dict[str, Any]:
  """Writes the record of a run that has ended, and removes its state."""
  rates = [row["images_per_second"] for row in rows]
  record = own | {
    "device": jax.devices()[0].device_kind,
    "steps_in_a_program": functions.steps,
    "compile_seconds": functions.compile_seconds,
    "train_seconds": sum(row["seconds"] for row in rows),
    "images_per_second": spread(rates) if rates else None,
    **last,
    "curve": rows,
  }
  name = f"{own['net']}-seed{own['seed']}"
  write(setting.out.parent, "cifar", name, record)
  (setting.out / f"{name}.npz").unlink(missing_ok=True)
  return record


def identity(setting: Setting, name: str, seed: int) -> dict[str, Any]:
  """What makes a run this run, in JSON's types."""
  values = {"net": name, "seed": seed, "data": setting.whole.name}
  values |= {"data_sha256": setting.whole.sha256}
  return json.loads(json.dumps(values | {"recipe": setting.recipe._asdict()}))


def finished(setting: Setting, name: str, seed: int) -> dict[str, Any] | None:
  """The record of a run that has ended; ConfigError when it was another run of this name."""
  path = setting.out / f"{name}-seed{seed}.json"
  record = runs.read_json(path)
  if record is not None:
    check_same(path, record, identity(setting, name, seed))
  return record


def check_same(path: Path, found: dict[str, Any], own: dict[str, Any]) -> None:
  """Refuses what another recipe, or other data or code, has left in the same place."""
  other = [k for k in own if found.get(k) != own[k]]
  if other:
    raise ConfigError(
      f"{path} is of another run: {', '.join(f'{k} was {found.get(k)}' for k in other)}\n"
      "Give another --out, or remove the file"
    )


def surroundings() -> dict[str, str]:
  """What the bits of a run depend on besides its recipe."""
  return {
    "code": runs.code_hash(),
    "jax": jax.__version__,
    "device": jax.devices()[0].device_kind,
  }


def save(path: Path, own: dict[str, Any], state: State, rows: list[dict[str, Any]]) -> None:
  """Writes state, rows and whose they are: the old file or the new one, never a part."""
  about = json.dumps({"own": own | surroundings(), "rows": rows})
  arrays = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(jax.device_get(state)))}
  partial = path.with_suffix(".partial")
  with open(partial, "wb") as file:
    np.savez(file, about=np.array(about), **arrays)
    file.flush()
    os.fsync(file.fileno())
  partial.replace(path)


def load(path: Path, own: dict[str, Any], abstract: State) -> tuple[State, list] | None:
  """State and rows of a run that was left; None when there is no file."""
  if not path.exists():
    return None
  with np.load(path, allow_pickle=False) as file:
    about = json.loads(str(file["about"]))
    check_same(path, about["own"], own | surroundings())
    shapes, tree = jax.tree.flatten(abstract)
    leaves = [jnp.array(file[f"leaf{i}"]) for i in range(len(shapes))]
  assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(leaves, shapes, strict=True))
  say(f"{path.stem}: going on at step {about['rows'][-1]['step']}")
  return jax.tree.unflatten(tree, leaves), about["rows"]


def say_row(name: str, seed: int, steps: int, row: dict[str, Any]) -> None:
  """Progress of a run."""
  say(
    f"{name} seed {seed} step {row['step']} of {steps}: train error {row['train_error']:.2%}, "
    f"validation {row['validation_error']:.2%}, {row['images_per_second']:,.0f} images/s"
  )


def report(setting: Setting, names: tuple[str, ...], records: list[dict[str, Any]]) -> None:
  """The closing table, and summary.json: mean and deviation over the seeds of each net."""
  rows, summary = [], {}
  for name in names:
    own = [r for r in records if r["net"] == name]
    done = [r for r in own if r["state"] == "done"]
    rates = [r["images_per_second"]["median"] for r in done]
    summary[name] = {"n": len(done), "diverged": len(own) - len(done), "paper": PAPER.get(name)}
    for part in ("test", "validation", "train"):
      errors = [100 * r[f"final_{part}_error"] for r in done]
      if errors:
        deviation = statistics.stdev(errors) if len(errors) > 1 else None
        summary[name][part] = {"mean": statistics.mean(errors), "deviation": deviation}
    if rates:
      summary[name]["images_per_second"] = spread(rates)
    rows.append(
      (
        name,
        len(done),
        len(own) - len(done),
        *(_percent(summary[name].get(part)) for part in ("test", "validation", "train")),
        PAPER.get(name, ""),
        f"{statistics.median(rates):,.0f}" if rates else "",
        f"{statistics.median(r['train_seconds'] for r in done):.0f}" if done else "",
      )
    )
  header = ("net", "seeds", "diverged", "test error %", "validation", "train", "paper")
  show((*header, "images/s", "seconds"), rows)
  facts = {"recipe": setting.recipe._asdict(), "device": jax.devices()[0].device_kind}
  write(setting.out.parent, "cifar", "summary", facts | {"nets": summary})


def _percent(values: dict[str, Any] | None) -> str:
  if values is None:
    return ""
  deviation = values["deviation"]
  return f"{values['mean']:.2f}" + ("" if deviation is None else f" +- {deviation:.2f}")
