"""Sweeps as commands: what fails, what is killed, what runs twice, and what comes out."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxnets import runs
from jaxnets.sweep import folder

ROOT = Path(__file__).parents[2]
SPEC = "tests/sweep/sweeping.py"


def start(workdir, *flags, spec=SPEC, **environment):
  return subprocess.Popen(
    [sys.executable, "launch.py", "sweep", f"--config={spec}", f"--workdir={workdir}",
     "--platform=cpu", "--jobs=2", *flags],
    cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
  )  # fmt: skip


def sweep(workdir, *flags, **more):
  process = start(workdir, *flags, **more)
  out, err = process.communicate(timeout=1200)
  return process.returncode, out, err


def states(workdir):
  return [run.state for _, run in folder.runs_of(folder.read(workdir))]


def digests(workdir):
  found = folder.runs_of(folder.read(workdir))
  return {row["hash"]: run.summary["params_sha256"] for row, run in found}


def wait_for(condition, seconds=1200):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end, "waited in vain"
    time.sleep(0.1)


def begun(workdir, count=1):
  """Whether so many cells have logged steps."""
  return lambda: sum(1 for _ in Path(workdir).glob("*/metrics.jsonl")) >= count


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("finished")
  return workdir, sweep(workdir)


def test_a_sweep_runs_every_cell_and_compiles_each_program_once(finished):
  workdir, (code, out, err) = finished
  assert code == 0, err
  assert "4 cells, 1 programs" in err
  assert "4 done, 0 failed, 0 left" in out
  assert states(workdir) == ["done"] * 4
  ways = [run.record["compile"]["how"] for _, run in folder.runs_of(folder.read(workdir))]
  assert ways.count("compiled") <= 1  # none where an earlier test left it in the cache
  assert sorted(set(ways)) in (["cache", "shared"], ["cache", "compiled", "shared"],
                               ["compiled", "shared"])  # fmt: skip


def test_the_same_command_again_runs_nothing(finished):
  workdir, _ = finished
  before = {p: p.stat().st_mtime_ns for p in workdir.glob("*/run.json")}
  code, _out, err = sweep(workdir)
  assert code == 0
  assert "4 of 4 cells have ended before" in err
  assert before == {p: p.stat().st_mtime_ns for p in workdir.glob("*/run.json")}


def test_a_cell_run_alone_from_its_hash_has_the_bits_it_has_in_the_sweep(finished, tmp_path):
  workdir, _ = finished
  values = json.loads((workdir / folder.NAME).read_text())
  (tmp_path / folder.NAME).write_text(json.dumps(values))
  digest = values["cells"][2]["hash"]
  threads = 1 if (os.cpu_count() or 1) < 4 else os.cpu_count() // 2
  done = subprocess.run(
    [sys.executable, "launch.py", "sweep", f"--workdir={tmp_path}", f"--cell={digest[:8]}",
     "--platform=cpu", f"--threads={threads}"],
    cwd=ROOT, text=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  row = folder.find(folder.read(tmp_path), digest)
  summary = runs.read_json(tmp_path / row["folder"] / "summary.json")
  assert summary["params_sha256"] == digests(workdir)[digest]


def test_a_cell_that_diverges_stops_no_other(tmp_path):
  code, out, err = sweep(tmp_path, SECOND_RATE="1e30")
  assert code == 5, err
  assert sorted(states(tmp_path)) == ["diverged", "diverged", "done", "done"]
  assert "2 done, 2 failed, 0 left" in out
  assert "not finite" in out
  row = next(row for row, run in folder.runs_of(folder.read(tmp_path)) if run.state == "diverged")
  assert "Traceback" in (tmp_path / row["folder"] / "log.txt").read_text()
  code, out, err = sweep(tmp_path, SECOND_RATE="1e30")  # ended: not run again unless asked
  assert code == 5
  assert "4 of 4 cells have ended before" in err
  code, out, err = sweep(tmp_path, "--retry_failed", SECOND_RATE="1e30")
  assert "2 of 4 cells have ended before" in err


def test_a_worker_that_is_killed_takes_its_cell_only(tmp_path):
  process = start(tmp_path, spec=f"{SPEC}:slow")
  wait_for(begun(tmp_path))
  victim = next(p for p in tmp_path.glob("*/.lock") if runs.is_locked(p.parent))
  number = int(victim.read_text().split()[1])
  os.kill(number, signal.SIGKILL)
  wait_for(lambda: "failed" in states(tmp_path))
  failed = next(run for _, run in folder.runs_of(folder.read(tmp_path)) if run.state == "failed")
  assert "SIGKILL" in failed.error
  wait_for(lambda: states(tmp_path).count("running") == 2)  # a new worker has the next cell
  process.send_signal(signal.SIGINT)
  _out, err = process.communicate(timeout=1200)
  assert process.returncode == 130
  assert "0 done, 1 failed, 3 left" in err
  assert "Run the same command to go on" in err
  assert "running" not in states(tmp_path)


def test_a_killed_sweep_goes_on_to_the_same_bits_and_leaves_no_worker(tmp_path):
  flags = ("--config.train.steps=90", "--config.train.checkpoint_every=10")
  killed, whole = tmp_path / "killed", tmp_path / "whole"
  process = start(killed, *flags)
  wait_for(begun(killed, 2))
  process.kill()
  process.communicate()
  wait_for(lambda: not any(runs.is_locked(p.parent) for p in killed.glob("*/.lock")))
  assert "interrupted" in states(killed)
  assert "waiting" in states(killed)
  code, _out, err = sweep(killed, *flags)
  assert code == 0, err
  assert states(killed) == ["done"] * 4
  assert sweep(whole, *flags)[0] == 0
  assert digests(killed) == digests(whole)


def test_two_runners_never_run_one_cell_twice(tmp_path):
  first = start(tmp_path, "--config.train.steps=100")
  second = start(tmp_path, "--config.train.steps=100")
  for process in (first, second):
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    assert "4 done, 0 failed, 0 left" in out
  starts = [len(run.record["starts"]) for _, run in folder.runs_of(folder.read(tmp_path))]
  assert starts == [1] * 4


def test_shards_are_the_whole_and_hours_end(tmp_path):
  code, out, _ = sweep(tmp_path, "--shard=1/2")
  assert code == 0
  assert "2 done, 0 failed, 0 left" in out
  assert states(tmp_path).count("done") == 2
  code, _, err = sweep(tmp_path, "--max_hours=0")
  assert code == 75
  assert "2 done, 0 failed, 2 left" in err
  assert sweep(tmp_path, "--shard=2/2")[0] == 0
  assert states(tmp_path) == ["done"] * 4


def test_forty_cells_of_rates_decays_and_seeds_compile_one_train_step(tmp_path):
  grids = ("--grid=optim.weight_decay=0.0,1e-4,1e-3,1e-2", "--config.train.steps=2")
  process = start(tmp_path / "runs", *grids, "--seeds=0:5", spec="tests/sweep/grids.py",
                  JAX_COMPILATION_CACHE_DIR=str(tmp_path / "cache"))  # fmt: skip
  _out, err = process.communicate(timeout=1200)
  assert process.returncode == 0, err
  assert "40 cells, 1 programs to compile" in err
  assert "1 train step compiled for the cells that ran" in err
  ways = [r.record["compile"]["how"] for _, r in folder.runs_of(folder.read(tmp_path / "runs"))]
  assert ways.count("compiled") == 1
  assert ways.count("cache") <= 1  # the other worker's
  assert len(ways) == 40


def test_fail_fast_ends_with_the_first_failure(tmp_path):
  code, out, _ = sweep(tmp_path, "--fail_fast", "--jobs=1", "--grid=train.batch=32,48",
                       spec="tests/sweep/grids.py", FIRST_RATE="1e30")  # fmt: skip
  assert code == 5
  assert "1 failed" in out
  assert states(tmp_path).count("waiting") >= 1


@pytest.mark.parametrize(
  ("flags", "code", "said"),
  [
    (("--grid=net.dpeth=8,14",), 2, 'Did you mean "net.depth"'),
    (("--grid=net.depth=8,9",), 2, "cell 2 of 8 (lr=0.05,seed=0,depth=9): net.depth (=9)"),
    (("--grid=seed=1,2",), 2, "sets seed already"),
    (("--probe=5",), 2, "Add --dry_run"),
    (("--shard=1/5",), 2, "has no cell"),
    (("--grid=net.depth",), 2, "KEY=VALUE"),
    (("--seeds=3:1",), 2, "--seeds=3:1 must be a range"),
    (("--shard=3/2",), 2, "--shard=3/2 must be i/n"),
    (("--grid=data.name=cifar10,digits", "--data_dir=nowhere"), 3, "cifar10"),
    (("--jobs=0",), 2, "jobs"),
    (("--cell=3f2a", "--seeds=0:2"), 2, "Leave out --seeds, --jobs, --config"),
  ],
)
def test_a_mistake_is_told_before_anything_runs(flags, code, said, tmp_path):
  got, out, err = sweep(tmp_path / "new", *flags)
  assert (got, out) == (code, "")
  assert said in err
  assert "Traceback" not in err
  assert not (tmp_path / "new").exists()


def test_a_run_and_a_sweep_do_not_share_a_folder(tmp_path, finished):
  (tmp_path / "run.json").write_text("{}")
  code, _, err = sweep(tmp_path)
  assert (code, "holds a single run" in err) == (2, True)
  done = subprocess.run(
    [sys.executable, "launch.py", f"--config={SPEC}", f"--workdir={finished[0]}"],
    cwd=ROOT, text=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
  )  # fmt: skip
  assert (done.returncode, "holds a sweep" in done.stderr) == (2, True)


def test_a_worker_that_cannot_start_tells_why(tmp_path):
  code, out, err = sweep(tmp_path, "--jobs=1", JAX_PLATFORMS="cpu", OMP_NUM_THREADS="1",
                         PYTHONSTARTUP="", JAXNETS_KERNELS="nonsense")  # fmt: skip
  assert code in (2, 5), err
  assert "nonsense" in out + err
  assert "Traceback" not in out + err
