"""Sweep folders as real ones look, with numbers that a test chooses; nothing is trained."""

import copy
import hashlib
import itertools
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets import config as configuration

SPEED = 4200.0  # images per second of a net of one layer
PROTOCOL = "last step, averaged parameters, one view of 8x8 px"


def write_sweep(
  workdir: Path,
  axes: Mapping[str, Sequence[Any]],
  seeds: Sequence[int],
  accuracy: Callable[[dict[str, Any], int], float | str],
  *,
  question: str = "Do planted numbers come out as they were planted?",
  fixed: Mapping[str, Any] | None = None,
  points: int = 10,
  train: Callable[[dict[str, Any], int], float] | None = None,
  where: Callable[[dict[str, Any]], bool] = lambda overrides: True,
) -> Path:
  """A sweep over the product of `axes` and `seeds`.

  Args:
    workdir: the folder to make.
    axes: dotted config keys and their values.
    seeds: of every cell.
    accuracy: the test accuracy of a cell and seed, as a share; or the state that its run ended in.
    question: of the sweep.
    fixed: config fields that all cells have.
    points: evaluations of each run.
    train: the training accuracy, as a share; else that of the test and a little more.
    where: which cells there are.
  """
  base = configuration.to_json(configuration.base("cifar_resnet20", "digits", depth=14))
  base = changed(base, {"train.steps": 100, **(fixed or {})})
  cells = []
  for values in itertools.product(*axes.values()):
    setting = dict(zip(axes, values, strict=True))
    if not where(setting):
      continue
    for seed in seeds:
      overrides = setting | {"seed": seed}
      config = changed(base, overrides)
      digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]
      name = ",".join(f"{k.rpartition('.')[2]}={v}" for k, v in overrides.items())
      folder = f"{name}-{digest[:8]}".replace("/", "_")
      cells.append(
        {"hash": digest, "folder": folder, "program": digest, "overrides": overrides,
         "config": config}
      )  # fmt: skip
      result = accuracy(setting, seed)
      known = train(setting, seed) if train else None
      write_run(workdir / folder, config, result, known, points, seed)
  workdir.mkdir(parents=True, exist_ok=True)
  write(
    workdir / "sweep.json",
    {
      "schema": 1, "spec": "experiments/planted.py", "question": question,
      "command": ["launch.py", "sweep", "--config=experiments/planted.py"], "base": base,
      "cells": cells,
    },
  )  # fmt: skip
  return workdir


def write_run(
  folder: Path, config: dict, result: float | str, train: float | None, points: int, seed: int
) -> None:
  """A run folder whose test accuracy is `result`, or that ended in the state `result`."""
  if result == "waiting":
    return
  folder.mkdir(parents=True)
  done = isinstance(result, float)
  record = {
    "schema": 1, "state": "done" if done else result, "argv": ["launch.py", "sweep", "--worker"],
    "code": "4dd4acdf7828", "jaxnets": "0.1.0", "python": "3.11.7", "jax": "0.10.2",
    "devices": "1 x cpu", "kernels": "onednn 3.2.0", "threads": "1", "hosts": 1, "steps": 100,
    "data_fingerprint": "09f66e6debde", "test_reads": 1,
    "starts": [{"time": "2026-11-25T09:52:29+0000"}],
  }  # fmt: skip
  if result != "running":
    record |= {"exit": 0, "ended": f"2026-11-25T09:53:{10 + seed % 40:02}+0000", "error": ""}
  if result in ("diverged", "failed"):
    record["error"] = f"the loss is not finite at step 30 of a run that {result}\nLower optim.lr"
  write(folder / "run.json", record)
  write(folder / "config.json", config)
  final = result if done else 0.5
  known = min(1.0, final + 0.03) if train is None else train
  rate = SPEED / config["net"]["depth"]
  logged = points if done else max(1, points // 3)
  write_curves(folder, (final, known, rate), logged, points, seed, done)
  if done:
    depth, width = config["net"]["depth"], config["net"]["width"]
    write(
      folder / "summary.json",
      {
        "state": "done", "step": 100, "params_sha256": str(folder),
        "metrics": {
          "validation_loss": 1 - final, "validation_top1": final, "validation_count": 1000,
          "test_loss": 1.5 - final, "test_top1": final, "test_top5": min(1.0, final + 0.05),
          "test_count": 10000, "train_loss": 1 - known, "train_top1": known,
          "train_count": 50000, "protocol": PROTOCOL,
        },
        "net": {"name": config["net"]["name"], "depth": depth, "width": width},
        "params": int(13_000 * depth * width**2), "macs": int(2_000_000 * depth * width**2),
        "data": {"name": config["data"]["name"], "fingerprint": "09f66e6debde"},
      },
    )  # fmt: skip


def write_curves(
  folder: Path, ends: tuple[float, float, float], logged: int, points: int, seed: int, done: bool
) -> None:
  """metrics.jsonl: accuracies that rise to their last value, a little unsteadily.

  Images per second are around `ends[2]`, the median of ten rows but the first, which is slow.
  """
  final, train, rate = ends
  noise = random.Random(f"{folder.name} {seed}")
  rows = []
  for i in range(1, logged + 1):
    risen = (1 - math.exp(-4 * i / points)) / (1 - math.exp(-4))
    for split, last in (("train", train), ("validation", final)):
      shake = 0.0 if i == points else noise.gauss(0, 0.008)
      value = min(1.0, max(0.0, 0.1 + (last - 0.1) * risen + shake))
      row = {"step": 100 * i // points if points <= 100 else i, "split": split}
      row |= {"loss": 2.3 * (1 - value), "top1": value, "count": 512}
      if split == "train":
        row["images_per_second"] = rate / 10 if i == 1 else rate * (0.98 + 0.01 * (7 * i % 5))
      rows.append(row)
  if done:
    rows.append({"step": 100 if points <= 100 else points, "split": "test", "loss": 1.5 - final,
                 "top1": final, "count": 10000})  # fmt: skip
  (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_probes(
  folder: Path, layers: Sequence[str], steps: Sequence[int], value: Callable[[str, int, int], float]
) -> None:
  """probes.jsonl: `value(measure, place, step)` of each layer, and a row of a norm after them."""
  measures = ("gradient_norm", "output_gradient", "mean_square", "response_std", "zero_share",
              "dead_share", "correlation", "effective_rank_share", "energy_90", "update_norm",
              "weight_norm")  # fmt: skip
  rows = []
  for step in steps:
    for place, layer in enumerate(layers):
      rows.append({"step": step, "layer": layer} | {m: value(m, place, step) for m in measures})
      if layer == "maps":
        rows[-1] |= dict.fromkeys(("gradient_norm", "update_norm", "weight_norm"))
    rows.append({"step": step, "layer": "stem_norm"} | dict.fromkeys(measures) | {measures[0]: 9.0})
  (folder / "probes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_pictures(folder: Path, filters: int, *, cam: bool = True) -> None:
  """pictures.npz: filters of 3x3 whose pixels are their number, eight images, maps of 2x2."""
  rows, draw = -(-filters // 8), np.random.default_rng(filters)
  numbers = np.repeat(np.repeat(np.arange(rows * 8).reshape(rows, 8), 3, 0), 3, 1)
  grid = (numbers / (rows * 8)).astype(np.float32)[..., None]
  arrays = {
    "filters_first": grid, "filters_last": 1 - grid, "filters_shape": np.array([3, 3, 8, filters]),
    "step_first": 1, "step_last": 60, "images": draw.integers(0, 256, (8, 6, 6, 1), np.uint8),
    "labels": np.arange(8), "predictions": np.arange(8) // 2 * 2, "split": "validation",
    "classes": [f"a_name_of_many_letters_{i}" for i in range(8)], "grad_cam_at": "maps",
    "grad_cam": draw.random((8, 2, 2)), "cam": draw.normal(size=(8, 2, 2)),
  }  # fmt: skip
  if not cam:
    del arrays["cam"]
  np.savez(folder / "pictures.npz", **arrays)


def changed(config: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
  """A copy of a nested config with some dotted keys set."""
  config = copy.deepcopy(config)
  for key, value in values.items():
    *sections, last = key.split(".")
    section = config
    for name in sections:
      section = section[name]
    section[last] = value
  return config


def write(path: Path, values: Any) -> None:
  """JSON as the runs write it."""
  path.write_text(json.dumps(values, indent=1) + "\n")
