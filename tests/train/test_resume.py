"""Real kills of a real process; the same command again must end at the same bits."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


DIGITS = ["--config=tests/train/experiment.py"]


def command(workdir: Path, words: list[str]) -> list[str]:
  return [sys.executable, "-W", "error", "launch.py", *words, f"--workdir={workdir}"]


def environment() -> dict[str, str]:
  return os.environ | {"PYTHONPATH": str(ROOT)}


def run(workdir: Path, words: list[str] = DIGITS) -> dict:
  result = subprocess.run(
    command(workdir, words),
    capture_output=True,
    text=True,
    cwd=ROOT,
    env=environment(),
    check=False,
  )
  assert result.returncode == 0, result.stderr[-2000:]
  return json.loads((workdir / "summary.json").read_text())


def interrupted(workdir: Path, number: int, after: str, words: list[str] = DIGITS) -> int:
  """Starts a run, sends the signal once `after` exists in checkpoints/, returns the exit code."""
  process = subprocess.Popen(
    command(workdir, words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
    env=environment(),
  )  # fmt: skip
  deadline = time.monotonic() + 1200
  while not list((workdir / "checkpoints").glob(after)):
    assert process.poll() is None, "the run ended before it could be interrupted"
    assert time.monotonic() < deadline
    time.sleep(0.002)
  process.send_signal(number)
  return process.wait(timeout=1200)


def rows(workdir: Path) -> list[dict]:
  lines = (workdir / "metrics.jsonl").read_text().splitlines()
  return [{k: v for k, v in json.loads(r).items() if k != "images_per_second"} for r in lines]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("whole")
  return run(workdir), rows(workdir)


def test_a_second_run_gives_the_same_bits(uninterrupted, tmp_path):
  summary, metrics = uninterrupted
  assert run(tmp_path) == summary
  assert rows(tmp_path) == metrics


@pytest.mark.parametrize("after", ["10", "*.orbax-checkpoint-tmp*", "25.sha256.json"])
def test_a_run_killed_with_kill_9_goes_on_to_the_same_bits(uninterrupted, tmp_path, after):
  summary, metrics = uninterrupted
  assert interrupted(tmp_path, signal.SIGKILL, after) == -signal.SIGKILL
  assert not (tmp_path / "summary.json").exists()
  assert run(tmp_path) == summary
  assert rows(tmp_path) == metrics


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_and_exits_with_its_code(uninterrupted, tmp_path, number, code):
  assert interrupted(tmp_path, number, "10") == code
  state = json.loads((tmp_path / "run.json").read_text())
  assert (state["state"], state["exit"]) == ("interrupted", code)
  step = re.search(r"checkpoint (\d+) is kept\nRun the same command to go on", state["error"])[1]
  assert (tmp_path / "checkpoints" / step).is_dir()
  assert (tmp_path / "checkpoints" / f"{step}.sha256.json").exists()
  assert run(tmp_path)["params_sha256"] == uninterrupted[0]["params_sha256"]


def test_a_finished_run_is_not_run_again(uninterrupted, tmp_path):
  summary = run(tmp_path)
  before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name != ".lock"}
  assert run(tmp_path) == summary
  after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.name != ".lock"}
  assert after == before


def test_a_run_that_goes_on_with_other_kernels_says_so(tmp_path):
  interrupted(tmp_path, signal.SIGKILL, "10")
  facts = json.loads((tmp_path / "run.json").read_text())
  (tmp_path / "run.json").write_text(json.dumps(facts | {"kernels": "onednn 0.0.0"}))
  run(tmp_path)
  said = (tmp_path / "log.txt").read_text()
  assert f"had the kernels onednn 0.0.0 and goes on with {facts['kernels']}" in said
  assert json.loads((tmp_path / "run.json").read_text())["kernels"] == facts["kernels"]
