"""Claims of hand-made features, whose runs lie beside those of the nets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets import config
from jaxnets.claims import ledger, verdicts
from jaxnets.claims.judge import judge
from jaxnets.claims.measures import TEST_ERROR
from jaxnets.claims.study import Arm, Claim, Contrast, Study, needs_pipelines
from jaxnets.claims.trained import CLAIMS

ROOT = Path(__file__).parents[2]
# The extra `classical`, which `make test` installs; a lean environment tests the rest.
pytest.importorskip("sklearn")
pytest.importorskip("skimage")


def test_the_pipelines_of_a_study_have_its_images():
  base = config.base("mlp", "digits")
  base.data.image_size, base.data.validation, base.train.steps = 8, 0.2, 10
  overrides = {"pipeline.features": "raw", "pipeline.classifier": "svm", "svm.c": (0.01,)}
  study = Study(
    base,
    {"net": Arm({}), "made": Arm(overrides, ({}, {"svm.c": (0.1,)}), hand_made=True)},
    (Contrast("", "net", "made", TEST_ERROR),),
  )
  assert needs_pipelines(study)
  claim = Claim("C0", "", "", "", "", "", lambda size: study)
  planned = ledger.plan([claim], "cpu", [3, 4], lambda base: lambda *given: {})
  assert len(planned.cells) == 2
  assert len(planned.pipelines) == 4
  for cell in planned.pipelines:
    assert (cell.config.data.image_size, cell.config.data.validation) == (8, 0.2)
  first, second = planned.declared["C0"].arms["made"]
  assert first.recipe != second.recipe
  assert set(first.cells) == {3, 4}
  again = ledger.plan([claim], "cpu", [9], lambda base: lambda *given: {})
  assert again.declared["C0"].arms["made"][0].recipe == first.recipe  # whatever the seed


def test_nets_and_pipelines_of_a_claim_run_by_one_command_and_are_judged_together(tmp_path):
  lines = (
    "import sys; from jaxnets.claims.trained import features\n"
    "from jaxnets.cli import main\n"
    "features.RIVALS['cpu'] = (('raw', 'logreg'), ('raw', 'forest'))\n"
    "recipe = features.recipe\n"
    "def short(*given, **axes):\n"
    "  c = recipe(*given, **axes | {'widths': (4, 4)})\n"
    "  c.train.steps = c.train.checkpoint_every = c.eval.every = 20\n"
    "  c.optim.warmup_steps = 2\n"
    "  return c\n"
    "features.recipe = short\n"
  )
  words = ["launch.py", "claims", "run", "C1", "--seeds=0", "--jobs=1", f"--workdir={tmp_path}"]
  run = f"sys.exit(main({words!r}))"
  done = subprocess.run(
    [sys.executable, "-c", lines + run], cwd=ROOT, text=True, capture_output=True,
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  made = sorted((tmp_path / ledger.PIPELINES).glob("*/summary.json"))
  assert len(made) == 2
  assert len(list(tmp_path.glob("*/summary.json"))) == 1
  known = ledger.read(tmp_path, "cpu")["C1"].arms
  runs = ledger.runs_of(tmp_path, known)
  assert [run.state for tried in runs["hand-made"] for run in tried.values()] == ["done"] * 2
  verdict = judge(CLAIMS["C1"].study("cpu").contrasts, runs)
  scores = {path: json.loads(path.read_text())["metrics"] for path in made}
  best = max(scores.values(), key=lambda metrics: metrics["validation_top1"])
  found = verdict.values[TEST_ERROR.name]["hand-made"][0]
  assert found == pytest.approx(100 * (1 - best["test_top1"]))


def test_a_size_that_cannot_decide_says_so(tmp_path):
  planned = ledger.plan([CLAIMS["C19"]], "cpu", None, lambda base: lambda *given: {})
  assert planned.cells == []
  ledger.write(tmp_path, "cpu", planned.declared)
  assert verdicts.read(tmp_path, "cpu").verdicts["C19"].word == "underpowered"
