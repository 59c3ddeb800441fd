"""Cells as members of one program: planned, run, killed, and gone on with."""

import json
import os
import signal
from pathlib import Path

import pytest

from jaxnets import config, runs
from jaxnets.errors import ConfigError
from jaxnets.sweep import dispatch, folder, plan
from jaxnets.sweep.plan import Plan, Timing
from jaxnets.train import members
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


def test_what_was_decided_stays_for_as_many_members_only(tmp_path):
  plan.write(tmp_path, "4", {"p": FASTER})
  assert plan.write(tmp_path, "4", {"p": Plan("vmap", 2), "q": FASTER}) == {
    "p": FASTER, "q": FASTER,
  }  # fmt: skip
  plan.write(tmp_path, "2:vmap", {"p": Plan("vmap", 2)})
  assert plan.read(tmp_path, "4") == {"p": FASTER, "q": FASTER}
  assert plan.read(tmp_path, "2:vmap") == {"p": Plan("vmap", 2)}
  assert plan.read(tmp_path, "2") == {}


@pytest.mark.parametrize("text", ["0", "-1", "many", "4:", "4:map", "4:scan:vmap", ""])
def test_members_are_a_number_and_perhaps_a_form(text):
  assert plan.parse("8") == (8, "")
  assert plan.parse("4:devices") == (4, "devices")
  with pytest.raises(ConfigError, match="8:scan"):
    plan.parse(text)


def test_the_forms_that_can_be_named_are_those_that_there_are():
  assert plan.FORMS == (members.VMAP, members.SCAN, members.DEVICES)


ONE_OF_THREE = {"form": "vmap", "count": 3}


@pytest.mark.parametrize(
  ("begun", "apart", "first", "planned"),
  [
    ({}, (), ["0", "2", "4"], True),
    ({"2": None}, (), ["0", "4", "6"], True),  # it began alone, and goes on alone
    ({"2": {"form": "scan", "count": 3}}, (), ["0", "4", "6"], True),  # or in another program
    ({"2": ONE_OF_THREE}, (), ["0", "2", "4"], True),
    ({"0": None}, (), ["0"], False),
    ({}, ("0",), ["0"], False),
    ({}, ("2", "4", "6", "8"), ["0"], False),  # one that is left over
    ({"0": ONE_OF_THREE}, ("2", "4", "6", "8"), ["0"], True),  # but as it began
  ],
)
def test_cells_go_on_as_they_began_and_begin_with_others(begun, apart, first, planned, tmp_path):
  rows = [{"hash": str(i), "program": "pq"[i % 2], "folder": str(i)} for i in range(9)]
  for cell, form in begun.items():
    (tmp_path / cell).mkdir()
    record = {"schema": 1, "starts": [{}], "members": form}
    (tmp_path / cell / "run.json").write_text(json.dumps(record))
  settings = dispatch.Settings(tmp_path, [{}], plans={"p": Plan("vmap", 3)})
  waiting = list(rows)
  task = dispatch.take(waiting, 0, settings, set(apart))
  assert [row["hash"] for row in task.rows] == first
  assert task.plan == (Plan("vmap", 3) if planned else None)
  assert [row["hash"] for row in waiting] == [r["hash"] for r in rows if r["hash"] not in first]
  task = dispatch.take(waiting, [r["program"] for r in waiting].index("q"), settings, set())
  assert (len(task.rows), task.plan) == (1, None)  # its program has no plan


def knowing(workdir, arg=""):
  """The folder of a sweep that found members faster; none of its cells has begun."""
  workdir.mkdir(exist_ok=True)
  c = sweeping.get_config(arg)
  plan.write(workdir, "4", {config.digest(config.program(c)): FASTER})
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
  process.communicate(timeout=1200)
  wait_for(lambda: not any(runs.is_locked(path.parent) for path in workdir.glob("*/.lock")))
  code, _, err = sweep(workdir, *flags, spec=spec)
  assert code == 0, err
  assert members_of(workdir) == [{"form": "scan", "count": 4}] * 4
  whole = knowing(tmp_path / "whole", "members")
  assert sweep(whole, *flags, spec=spec)[0] == 0
  assert digests(workdir) == digests(whole)


def test_a_form_that_is_named_is_taken_untimed(tmp_path):
  code, _, err = sweep(tmp_path, "--members=2:vmap", "--jobs=1")
  assert code == 0, err
  assert "2 members by vmap, as named" in err
  assert "timing" not in err
  assert members_of(tmp_path) == [{"form": "vmap", "count": 2}] * 4


def test_members_whose_worker_is_killed_go_on_alone(tmp_path):
  spec = f"{SPEC}:members"
  workdir = knowing(tmp_path, "members")
  process = start(workdir, "--members=4", "--jobs=1", spec=spec)
  wait_for(lambda: on_the_way(workdir))
  victim = next(path for path in workdir.glob("*/.lock") if runs.is_locked(path.parent))
  os.kill(int(victim.read_text().split()[1]), signal.SIGKILL)
  out, err = process.communicate(timeout=1200)
  assert process.returncode == 0, err
  assert "going on alone" in err
  assert "4 done, 0 failed, 0 left" in out
  for path in Path(workdir).glob("*/log.txt"):
    assert "one of 4 members (scan) and goes on as one alone" in path.read_text()
