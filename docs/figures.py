"""Makes the figure of the README: trains what is missing, then draws.

    python docs/figures.py [--runs=runs/digits_depth] [--seeds=3]

18 runs of experiments/digits_depth.py, 10 to 40 s each on two cores; the same command again trains
only what is missing. Writes docs/digits_depth.png and docs/digits_depth.csv.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).parents[1]
DEPTHS = (8, 14, 20)
KINDS = {"plain": ("#D55E00", "s", "--"), "resnet": ("#0072B2", "o", "-")}
LAST = 50  # steps at the end of the run that the training error is the mean of


def train(folder: Path, name: str, seed: int) -> Path:
  """The run folder of a net and a seed; trained now unless it is done."""
  workdir = folder / f"{name},seed={seed}"
  config = f"--config=experiments/digits_depth.py:{name}"
  command = [sys.executable, "launch.py", config, f"--config.seed={seed}", f"--workdir={workdir}"]
  subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
  return workdir


def errors(workdir: Path) -> tuple[float, float]:
  """Training error over the last steps, and test error, in percent."""
  rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  rows = [r for r in rows if r["split"] == "train"]
  rows = [r for r in rows if r["step"] > rows[-1]["step"] - LAST]
  top1 = sum(r["top1"] * r["count"] for r in rows) / sum(r["count"] for r in rows)
  summary = json.loads((workdir / "summary.json").read_text())
  return 100 * (1 - top1), 100 * (1 - summary["metrics"]["test_top1"])


def measure(folder: Path, seeds: int) -> list[dict]:
  """One row per net: mean and sample deviation of both errors over the seeds."""
  rows = []
  for kind in KINDS:
    for depth in DEPTHS:
      pairs = [errors(train(folder, f"{kind}{depth}", seed)) for seed in range(seeds)]
      row = {"net": kind, "depth": depth, "seeds": seeds}
      for name, values in zip(("train_error", "test_error"), zip(*pairs, strict=True), strict=True):
        row |= {name: statistics.mean(values), f"{name}_std": statistics.stdev(values)}
      rows.append(row)
      print(row, flush=True)
  return rows


def draw(rows: list[dict], path: Path) -> None:
  """Training and test error against depth, a bar of one deviation at each point."""
  figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), sharey=True, layout="constrained")
  for axis, name in zip(axes, ("train_error", "test_error"), strict=True):
    for kind, (colour, marker, line) in KINDS.items():
      own = [r for r in rows if r["net"] == kind]
      axis.errorbar(
        [r["depth"] for r in own], [r[name] for r in own], [r[f"{name}_std"] for r in own],
        color=colour, marker=marker, linestyle=line, capsize=3,
        label={"plain": "plain", "resnet": "residual"}[kind],
      )  # fmt: skip
    axis.set(xlabel="layers", title={"train_error": "training", "test_error": "test"}[name])
    axis.set_xticks(DEPTHS)
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
  axes[0].set_ylabel("error, %")
  axes[0].legend(frameon=False, loc="upper left")
  figure.savefig(path, dpi=150, metadata={"Software": None})


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--runs", type=Path, default=Path("runs/digits_depth"))
  parser.add_argument("--seeds", type=int, default=3)
  arguments = parser.parse_args()
  rows = measure(arguments.runs.absolute(), arguments.seeds)
  with open(ROOT / "docs" / "digits_depth.csv", "w") as file:
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
      {k: round(v, 3) if isinstance(v, float) else v for k, v in r.items()} for r in rows
    )
  draw(rows, ROOT / "docs" / "digits_depth.png")


if __name__ == "__main__":
  main()
