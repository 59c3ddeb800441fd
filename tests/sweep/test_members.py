"""Cells as members of one program: planned, run, killed, and gone on with."""

import json
import os
import signal
from pathlib import Path

import pytest

from jaxnets import config, runs
from jaxnets.sweep import dispatch, folder, plan
from jaxnets.sweep.plan import Plan, Timing
from tests.sweep import sweeping
from tests.sweep.test_dispatch import SPEC, digests, start, states, sweep, wait_for

FASTER = Timing(4, 1.0, {"scan": 0.5, "vmap": 0.8})


@pytest.mark.parametrize(
  ("cells", "most", "programs", "workers", "devices", "size"),
  [
    (40, 8, 1, 2, 1, 7),  # 20 for each worker: three programs' worth
    (40, 8, 4, 2, 1, 8),  # each program has one worker
    (5, 8, 1, 1, 1, 5),
    (1, 8, 1, 1, 1, 1),
    (2, 8, 1, 2, 1, 1),  # a worker for each
    (12, 8, 1, 1, 8, 8),
    (3, 8, 1, 1, 8, 8),  # three devices work and five stay empty
    (3, 4, 1, 1, 8, 3),  # too few for the devices
    (1, 8, 1, 1, 8, 1),
  ],
)
def test_a_program_has_as_many_members_as_its_cells_fill(
  cells, most, programs, workers, devices, size
):
  assert plan.size_of(cells, most, programs, workers, devices) == size


def test_the_fastest_form_is_chosen_where_it_is_worth_it():
  assert plan.choose(FASTER) == Plan("scan", 4)
  assert plan.choose(Timing(4, 1.0, {"scan": 0.97, "vmap": 1.5})) is None
  assert plan.choose(Timing(4, 1.0, {})) is None
  assert plan.describe(FASTER) == (
    "4 members by scan (times as fast as separate runs, 4 members: scan 2.00, vmap 1.25)"
  )


def test_what_was_timed_is_known_for_as_many_members_only(tmp_path):
  plan.write(tmp_path, 4, {"p": FASTER})
  plan.write(tmp_path, 4, {"q": FASTER})
  assert plan.read(tmp_path, 4) == {"p": FASTER, "q": FASTER}
  assert plan.read(tmp_path, 2) == {}


def test_cells_are_taken_with_others_of_their_program(tmp_path):
  rows = [{"hash": str(i), "program": "pq"[i % 2], "folder": str(i)} for i in range(9)]
  settings = dispatch.Settings(tmp_path, [{}], plans={"p": Plan("vmap", 3)})
  waiting = list(rows)

  def taken(index, apart=frozenset()):
    task = dispatch.take(waiting, index, settings, set(apart))
    return [row["hash"] for row in task.rows], task.plan

  assert taken(0) == (["0", "2", "4"], Plan("vmap", 3))
  assert taken(0) == (["1"], None)  # its program has no plan
  last = [row["hash"] for row in waiting].index("8")
  assert taken(last, {"6"}) == (["8"], None)  # "6" must run alone, and so "8" does
  waiting = [rows[0]]
  (tmp_path / "0").mkdir()
  (tmp_path / "0" / "run.json").write_text(json.dumps({"schema": 1, "members": {}}))
  assert taken(0) == (["0"], None)
  waiting = [rows[0]]
  (tmp_path / "0" / "run.json").write_text(json.dumps({"schema": 1, "members": {"count": 3}}))
  assert taken(0) == (["0"], Plan("vmap", 3))  # as it began


def knowing(workdir, arg=""):
  """The folder of a sweep that found members faster; none of its cells has begun."""
  workdir.mkdir(exist_ok=True)
  c = sweeping.get_config(arg)
  plan.write(workdir, 4, {config.digest(config.program(c)): FASTER})
  return workdir


def members_of(workdir):
  return [run.record.get("members") for _, run in folder.runs_of(folder.read(workdir))]


def on_the_way(workdir):
  """Whether all cells are members with a checkpoint."""
  saved = {path.parents[1] for path in workdir.glob("*/checkpoints/15.sha256.json")}
  return len(saved) == 4 and all(members_of(workdir))


def test_members_are_told_apart_and_a_diverging_one_stops_no_other(tmp_path):
  workdir = knowing(tmp_path)
  code, out, err = sweep(workdir, "--members=4", "--jobs=1", SECOND_RATE="1e30")
  assert code == 5, err
  assert "4 cells: 4 members by scan (times as fast as separate runs" in err
  assert sorted(states(workdir)) == ["diverged", "diverged", "done", "done"]
  assert "2 done, 2 failed, 0 left" in out
  assert members_of(workdir) == [{"form": "scan", "count": 4}] * 4
  for row, run in folder.runs_of(folder.read(workdir)):
    text = (workdir / row["folder"] / "log.txt").read_text()
    assert ("Traceback" in text) == (run.state == "diverged")
    assert text.count("parameters") == 1  # what it is about, once


def test_killed_members_go_on_to_the_same_bits(tmp_path):
  spec, flags = f"{SPEC}:members", ("--members=4", "--jobs=1")
  workdir = knowing(tmp_path / "killed", "members")
  process = start(workdir, *flags, spec=spec)
  wait_for(lambda: on_the_way(workdir))
  process.send_signal(signal.SIGKILL)
  process.communicate(timeout=60)
  wait_for(lambda: not any(runs.is_locked(path.parent) for path in workdir.glob("*/.lock")))
  code, _, err = sweep(workdir, *flags, spec=spec)
  assert code == 0, err
  assert members_of(workdir) == [{"form": "scan", "count": 4}] * 4
  whole = knowing(tmp_path / "whole", "members")
  assert sweep(whole, *flags, spec=spec)[0] == 0
  assert digests(workdir) == digests(whole)


def test_members_whose_worker_is_killed_go_on_alone(tmp_path):
  spec = f"{SPEC}:members"
  workdir = knowing(tmp_path, "members")
  process = start(workdir, "--members=4", "--jobs=1", spec=spec)
  wait_for(lambda: on_the_way(workdir))
  victim = next(path for path in workdir.glob("*/.lock") if runs.is_locked(path.parent))
  os.kill(int(victim.read_text().split()[1]), signal.SIGKILL)
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert "going on alone" in err
  assert "4 done, 0 failed, 0 left" in out
  for path in Path(workdir).glob("*/log.txt"):
    assert "one of 4 members (scan) and goes on as one alone" in path.read_text()
