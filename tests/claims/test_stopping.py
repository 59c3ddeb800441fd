"""What claims need besides training nets stops on time, and when it is told to."""

import os
import signal
import threading
import time

import pytest
from absl import flags

from jaxnets.claims import ledger, verdicts
from jaxnets.claims.study import Trial
from jaxnets.claims.trained import CLAIMS
from jaxnets.cli import claim_runs, claims, define_common, main
from jaxnets.errors import StoppedError


@pytest.mark.parametrize(("name", "before"), [("C4", "C4, seed 0"), ("C1", "pipeline 1 of 45")])
def test_nothing_begins_after_max_hours(name, before, tmp_path, capfd):
  words = ["claims", "run", name, "--size=cpu", f"--workdir={tmp_path}", "--max_hours=0"]
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


def signalled(tmp_path, monkeypatch, number):
  """What comes of measuring when a signal is sent, in place of a measurement that waits for it."""
  measuring, ready = tmp_path / "measuring", tmp_path / "ready"
  measuring.write_text(
    "#!/bin/sh\n"
    f"trap 'echo stopped >> {tmp_path}/said; exit 130' INT\n"
    f"touch {ready}\n"
    "for _ in $(seq 400); do sleep 0.05; done\n"  # 20 s
  )
  measuring.chmod(0o700)
  monkeypatch.setattr(claim_runs.sys, "executable", str(measuring))

  def send():
    while not ready.exists():
      time.sleep(0.01)
    os.kill(os.getpid(), number)

  signal.signal(
    number, lambda number, frame: None
  )  # background jobs ignore SIGINT, and so would it
  threading.Thread(target=send).start()
  return claim_runs.in_a_process(given(f"--workdir={tmp_path}"), ["C4"], float("inf"))


def test_ctrl_c_stops_what_is_measured_which_alone_says_so(tmp_path, monkeypatch):
  assert signalled(tmp_path, monkeypatch, signal.SIGINT) == 130
  assert (tmp_path / "said").read_text() == "stopped\n"


def test_a_signal_that_kills_what_is_measured_leaves_a_command_that_goes_on(tmp_path, monkeypatch):
  with pytest.raises(StoppedError, match="SIGTERM ended what was measured") as caught:
    signalled(tmp_path, monkeypatch, signal.SIGTERM)
  assert caught.value.exit_code == 75


def test_seeds_that_are_asked_for_and_were_not_run_leave_a_claim_unfinished(tmp_path):
  planned = ledger.plan([CLAIMS["C16"]], "cpu", [0, 1], lambda base: lambda *given: {})
  ledger.write(tmp_path, "cpu", planned.declared)
  trial = CLAIMS["C4"].study("cpu")
  assert isinstance(trial, Trial)
  ledger.plan_trial(tmp_path, "cpu", "C4", trial, [0, 1])
  found = verdicts.read(tmp_path, "cpu", range(5)).verdicts
  why = {name: {one.why for one in verdict.findings} for name, verdict in found.items()}
  assert why == {"C4": {"5 of 5 seeds are not measured"}, "C16": {"3 of 5 seeds were not run"}}
