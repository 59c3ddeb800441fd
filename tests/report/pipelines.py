"""Run folders of hand-made pipelines with numbers that a test chooses; nothing is fitted."""

from collections.abc import Callable, Sequence
from pathlib import Path

from jaxnets.classical import config as pipelines
from jaxnets.classical import session
from jaxnets.config import to_json
from tests.report.folders import write

ALL = 45_000  # training images
SCORED = 10_000  # of them, for the accuracy on them


def write_pipelines(
  workdir: Path,
  features: Sequence[str],
  classifiers: Sequence[str],
  sizes: Sequence[int],
  seeds: Sequence[int],
  accuracy: Callable[[str, int, int], float],
  **overrides: object,
) -> Path:
  """A sweep folder; `accuracy` is of (features, size or 0, seed), two underscores are a dot."""
  given = {key.replace("__", "."): value for key, value in overrides.items()}
  cells = pipelines.cells(features, classifiers, seeds, sizes, given)
  session.declare(workdir, cells)
  for cell in cells:
    own = cell.config.pipeline
    images, score = own.images or ALL, accuracy(own.features, own.images, cell.config.seed)
    (workdir / cell.folder).mkdir(exist_ok=True)
    write(workdir / cell.folder / "config.json", to_json(cell.config))
    write(
      workdir / cell.folder / "run.json",
      {"schema": 1, "state": "done", "scikit-learn": "1.9.1", "devices": "cpu",
       "argv": ["launch.py", "classical", f"--features={own.features}"],
       "starts": [{"time": "2026-11-25T09:52:29+0000"}], "exit": 0,
       "ended": "2026-11-25T09:53:10+0000", "error": ""},
    )  # fmt: skip
    write(
      workdir / cell.folder / "summary.json",
      {"state": "done", "step": 1, "images": images, "params": 3250, "macs": 17200,
       "metrics": {"test_top1": score, "test_count": 10_000, "train_top1": 0.9,
                   "train_count": min(images, SCORED), "protocol": "strength chosen on validation"},
       "data": {"name": cell.config.data.name, "fingerprint": "09f66e6debde"}},
    )  # fmt: skip
  return workdir
