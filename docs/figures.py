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
LOGGED, LAST = 50, 200  # steps between rows, and the last one drawn


def train(folder: Path, name: str, seed: int) -> Path:
  """The run folder of a net and a seed; trained now unless it is done."""
  workdir = folder / f"{name},seed={seed}"
  config = f"--config=experiments/digits_depth.py:{name}"
  command = [sys.executable, "launch.py", config, f"--config.seed={seed}", f"--workdir={workdir}"]
  subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
  return workdir


def errors(workdir: Path) -> dict[int, float]:
  """{step: training error in percent since the row before}."""
  rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  return {r["step"]: 100 * (1 - r["top1"]) for r in rows if r["split"] == "train"}


def measure(folder: Path, seeds: int) -> list[dict]:
  """One row per net and step: mean and sample deviation of the training error over the seeds."""
  rows = []
  for kind in KINDS:
    for depth in DEPTHS:
      curves = [errors(train(folder, f"{kind}{depth}", seed)) for seed in range(seeds)]
      for step in range(LOGGED, LAST + 1, LOGGED):
        values = [curve[step] for curve in curves]
        row = {"net": kind, "depth": depth, "seeds": seeds, "step": step}
        row |= {"error": statistics.mean(values), "std": statistics.stdev(values)}
        rows.append(row)
  return rows


def draw(rows: list[dict], path: Path) -> None:
  """Training error against step, a panel per depth, a bar of one deviation at each point."""
  figure, axes = plt.subplots(1, len(DEPTHS), figsize=(8, 2.7), sharey=True, layout="constrained")
  for axis, depth in zip(axes, DEPTHS, strict=True):
    for kind, (colour, marker, line) in KINDS.items():
      own = [r for r in rows if r["net"] == kind and r["depth"] == depth]
      axis.errorbar(
        [r["step"] for r in own], [r["error"] for r in own], [r["std"] for r in own],
        color=colour, marker=marker, linestyle=line, capsize=3,
        label={"plain": "plain", "resnet": "residual"}[kind],
      )  # fmt: skip
    axis.set(xlabel="step", title=f"{depth} layers")
    axis.set_xticks(range(LOGGED, LAST + 1, LOGGED))
    axis.grid(alpha=0.3)
  axes[0].set_ylabel("training error, %")
  axes[0].legend(frameon=False)
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
