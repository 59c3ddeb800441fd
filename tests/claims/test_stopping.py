"""What claims need besides training nets stops on time, and when it is told to."""

import os
import signal
import subprocess
import threading
import time

import pytest
from absl import flags

from jaxnets import config as configuration
from jaxnets import runs
from jaxnets.claims import ledger, verdicts
from jaxnets.claims.study import Trial
from jaxnets.claims.trained import CLAIMS
from jaxnets.classical import session
from jaxnets.cli import claim_runs, claims, define_common, main
from jaxnets.errors import StoppedError
from jaxnets.sweep import equal


@pytest.mark.parametrize(("name", "before"), [("C4", "C4, seed 0"), ("C1", "pipeline 1 of 45"),
                                            ("C4 C1", "C4, seed 0")])  # fmt: skip
def test_nothing_begins_after_max_hours(name, before, tmp_path, capfd):
  words = ["claims", "run", *name.split(), "--size=cpu", f"--workdir={tmp_path}", "--max_hours=0"]
  assert main(["launch.py", *words]) == 75
  err = capfd.readouterr().err
  assert f"stopped: --max_hours is over before {before}\n" in err
  assert err.count("Run the same command to go on") == 1
  if name == "C4":
    assert verdicts.read(tmp_path, "cpu").verdicts[name].word == "unfinished"


def given(*words):
  values = flags.FlagValues()
  define_common(values)
  claims.define(values)
  values(["launch.py", *words])
  return values


@pytest.fixture(autouse=True)
def handlers():
  """Those of before are there again after each test."""
  before = {number: signal.getsignal(number) for number in claim_runs.PASSED_ON}
  yield
  for number, handler in before.items():
    signal.signal(number, handler)


def signalled(tmp_path, monkeypatch, number, seconds=20, handler=lambda number, frame: None):
  """What comes of measuring when a signal is sent, in place of a measurement that waits for it."""
  measuring, ready = tmp_path / "measuring", tmp_path / "ready"
  measuring.write_text(
    "#!/bin/sh\n"
    f"trap 'echo stopped >> {tmp_path}/said; exit 130' INT\n"
    f"echo $$ > {ready}.new; mv {ready}.new {ready}\n"
    f"for _ in $(seq {20 * seconds}); do sleep 0.05; done\n"
  )
  measuring.chmod(0o700)
  monkeypatch.setattr(claim_runs.sys, "executable", str(measuring))
  groups = []

  def send():
    until = time.monotonic() + seconds
    while not ready.exists() and time.monotonic() < until:
      time.sleep(0.01)
    groups.append(os.getpgid(int(ready.read_text())))
    os.kill(os.getpid(), number)

  signal.signal(number, handler)  # a background job ignores SIGINT
  sending = threading.Thread(target=send)
  sending.start()
  try:
    return claim_runs.in_a_process(given(f"--workdir={tmp_path}"), ["C4"], float("inf"))
  finally:
    sending.join()
    assert groups != [os.getpgid(0)]  # where a terminal's Ctrl-C would reach it, too


def test_ctrl_c_stops_what_is_measured_which_alone_says_so(tmp_path, monkeypatch):
  assert signalled(tmp_path, monkeypatch, signal.SIGINT) == 130
  assert (tmp_path / "said").read_text() == "stopped\n"


def test_a_signal_that_is_ignored_stops_nothing(tmp_path, monkeypatch):
  assert signalled(tmp_path, monkeypatch, signal.SIGHUP, 1, signal.SIG_IGN) == 0


def test_a_signal_that_comes_while_the_process_starts_is_passed_on(tmp_path, monkeypatch):
  own = subprocess.Popen
  signal.signal(signal.SIGINT, signal.default_int_handler)

  def start(*given, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return own(["sleep", "20"], **options)

  monkeypatch.setattr(claim_runs.subprocess, "Popen", start)
  with pytest.raises(StoppedError, match="SIGINT ended what was measured") as caught:
    claim_runs.in_a_process(given(f"--workdir={tmp_path}"), ["C4"], float("inf"))
  assert caught.value.exit_code == 130


def test_a_signal_that_comes_when_the_process_has_ended_stops_what_follows(tmp_path, monkeypatch):
  own = subprocess.Popen

  def start(*given, **options):
    child = own(["true"], **options)
    child.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    return child

  monkeypatch.setattr(claim_runs.subprocess, "Popen", start)
  with pytest.raises(StoppedError, match="SIGTERM when all was measured") as caught:
    claim_runs.in_a_process(given(f"--workdir={tmp_path}"), ["C4"], float("inf"))
  assert caught.value.exit_code == 75


def test_nets_have_the_hours_that_pipelines_leave(tmp_path, monkeypatch):
  left = []
  monkeypatch.setattr(claim_runs, "hand_made", lambda *given: time.sleep(0.2) or 0)
  monkeypatch.setattr(
    claims.sweep, "run_cells", lambda values, *rest, **named: left.append(values.max_hours) or 0
  )
  values = given("--size=cpu", f"--workdir={tmp_path}", "--max_hours=1")
  assert claims.run(values, ["run", "C1"]) == 0
  assert 0.9 < left[0] < 1 - 0.2 / 3600


def test_pipelines_that_are_done_need_no_time(tmp_path, monkeypatch):
  monkeypatch.setattr(
    session.pipeline, "run", lambda reader, before: {"state": "done", "metrics": {}}
  )
  cell = ledger.plan([CLAIMS["C1"]], "cpu", [0], lambda base: lambda *given: {}).pipelines[0]
  values = given("--size=cpu", f"--workdir={tmp_path}")
  assert claim_runs.hand_made(values, [cell], float("inf")) == 0
  assert claim_runs.hand_made(values, [cell], time.monotonic()) == 0


def test_sigterm_in_a_pipeline_says_how_to_go_on(tmp_path, monkeypatch, capfd):
  def wait(reader, before):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)

  monkeypatch.setattr(session.pipeline, "run", wait)
  words = ["--features=raw", "--classifiers=svm", "--config.data.name=digits",
           "--config.data.image_size=8", f"--workdir={tmp_path}"]  # fmt: skip
  assert main(["launch.py", "classical", *words]) == 75
  err = capfd.readouterr().err
  assert "stopped by SIGTERM before it had a result\nRun the same command to go on" in err
  assert [runs.read_run(one).state for one in tmp_path.glob("*/")] == ["interrupted"]


def test_a_signal_that_kills_what_is_measured_leaves_a_command_that_goes_on(tmp_path, monkeypatch):
  with pytest.raises(StoppedError, match="SIGTERM ended what was measured") as caught:
    signalled(tmp_path, monkeypatch, signal.SIGTERM)
  assert caught.value.exit_code == 75


def test_a_signal_while_cells_are_checked_says_how_to_go_on(tmp_path, monkeypatch, capfd):
  monkeypatch.setattr(equal, "check_cells", lambda *given: os.kill(os.getpid(), signal.SIGTERM))
  words = ["claims", "run", "C16", "--size=cpu", "--seeds=0", f"--workdir={tmp_path}"]
  assert main(["launch.py", *words]) == 75
  err = capfd.readouterr().err
  assert "stopped: 0 done, 0 failed, 2 left" in err
  assert err.endswith("Run the same command to go on\n")


def test_without_the_images_nothing_is_written(tmp_path, capfd):
  words = ["claims", "run", "C1", "--size=laptop", f"--data_dir={tmp_path}"]
  assert main(["launch.py", *words, f"--workdir={tmp_path / 'runs'}"]) == 3
  assert not list(tmp_path.iterdir())


def test_seeds_that_are_asked_for_and_were_not_run_leave_a_claim_unfinished(tmp_path):
  planned = ledger.plan([CLAIMS["C16"]], "cpu", [0, 1], lambda base: lambda *given: {})
  ledger.write(tmp_path, "cpu", planned.declared)
  trial = CLAIMS["C4"].study("cpu")
  assert isinstance(trial, Trial)
  ledger.plan_trial(tmp_path, "cpu", "C4", trial, [0, 1])
  found = verdicts.read(tmp_path, "cpu", range(5)).verdicts
  why = {name: {one.why for one in verdict.findings} for name, verdict in found.items()}
  assert why == {"C4": {"5 of 5 seeds are not measured"}, "C16": {"3 of 5 seeds were not run"}}


@pytest.mark.parametrize(("name", "code"), [("C3", 0), ("C5", 5)])
def test_a_choice_that_diverged_is_no_failure_and_a_run_without_others_is(
  name, code, tmp_path, capfd
):
  planned = ledger.plan([CLAIMS[name]], "cpu", [0], lambda base: equal.make_solve(base, None))
  for cell, state in zip(planned.cells, ("diverged", *["done"] * 9), strict=False):
    own = tmp_path / cell.folder
    own.mkdir()
    runs.write_json(own / "config.json", configuration.to_json(cell.config))
    runs.write_json(own / "run.json", {"schema": 1, "state": state, "error": "loss is nan"})
    if state == "done":
      runs.write_json(own / "summary.json", {"state": "done", "metrics": {"test_top1": 0.9}})
  words = ["claims", "run", name, "--seeds=0", f"--workdir={tmp_path}"]
  assert main(["launch.py", *words]) == code
  said = capfd.readouterr()
  assert f"{len(planned.cells) - 1} done, 1 failed, 0 left" in said.out
  assert ("1 cell diverged with what is one of several" in said.err) == (code == 0)
