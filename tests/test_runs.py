import multiprocessing
import os
import resource
import time
from datetime import datetime
from pathlib import Path

import pytest

from jaxnets import runs
from jaxnets.errors import ConfigError


def test_a_second_run_in_a_folder_is_refused_and_names_the_first(tmp_path):
  first, second = runs.locked(tmp_path), runs.locked(tmp_path)
  with first, pytest.raises(ConfigError, match=f"in use by process {os.getpid()} on "):
    second.__enter__()
  with runs.locked(tmp_path):  # free again
    pass


def die_with_lock(path):
  with runs.locked(path):
    os._exit(9)


def test_the_lock_of_a_dead_process_is_no_lock(tmp_path):
  process = multiprocessing.get_context("spawn").Process(target=die_with_lock, args=(tmp_path,))
  process.start()
  process.join()
  assert process.exitcode == 9
  with runs.locked(tmp_path):
    pass


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path):
  path = tmp_path / "summary.json"
  runs.write_json(path, {"a": 1})
  runs.write_json(path, {"a": 2})
  assert runs.read_json(path) == {"a": 2}
  assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_a_file_that_is_not_json_is_named(tmp_path):
  (tmp_path / "run.json").write_text("{")
  with pytest.raises(ConfigError, match="run.json is not JSON"):
    runs.read_json(tmp_path / "run.json")


def test_looks_at_the_test_split_are_counted_across_starts(tmp_path):
  runs.begin(tmp_path, {"seed": 0}, {})
  assert runs.note_test_read(tmp_path) == 1
  runs.begin(tmp_path, {"seed": 0}, {})
  assert runs.note_test_read(tmp_path) == 2
  assert len(runs.read_json(tmp_path / "run.json")["starts"]) == 2


def forgets():
  """Whether the kernel counts a peak of 300 MiB from anew when it is asked to."""
  clear = Path("/proc/self/clear_refs")
  if not os.access(clear, os.W_OK):
    return False
  held = b"1" * (300 << 20)
  del held
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  clear.write_text("5")
  (peak,) = (
    int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines()
    if line.startswith("VmHWM")
  )  # fmt: skip
  return peak < before - (200 << 10)


def test_the_peak_of_memory_is_that_since_the_run_began(tmp_path):
  if not forgets():
    pytest.skip("no kernel that forgets the peak of a process")
  peaks = []
  for megabytes in (300, 1):
    runs.begin(tmp_path, {}, {})
    held = b"1" * (megabytes << 20)
    del held
    runs.end(tmp_path, "done", 0)
    peaks.append(runs.read_json(tmp_path / "run.json")["peak_resident_bytes"] >> 20)
  assert 290 < peaks[0] - peaks[1] < 310


def test_a_peak_from_before_the_run_is_not_the_runs(tmp_path, monkeypatch):
  for peak, noted in ((4 << 30, False), (1 << 30, True)):
    monkeypatch.setattr(runs, "_resident", lambda p=peak: {"VmRSS": 1 << 30, "VmHWM": p})
    runs.begin(tmp_path, {}, {})
    runs.end(tmp_path, "done", 0)
    assert ("peak_resident_bytes" in runs.read_json(tmp_path / "run.json")) == noted


def test_the_peak_is_that_of_the_process_that_ran_and_of_no_other(tmp_path):
  runs.begin(tmp_path, {}, {})
  runs.note(tmp_path, process=os.getpid() + 1)
  runs.end(tmp_path, "failed", 1, "it died")
  assert "peak_resident_bytes" not in runs.read_json(tmp_path / "run.json")


def test_a_killed_run_took_the_time_until_its_last_row(tmp_path):
  runs.begin(tmp_path, {}, {})
  assert runs.read_run(tmp_path).seconds == 0
  runs.append_metrics(tmp_path, {"step": 1})
  os.utime(tmp_path / "config.json", (1000, 1000))
  os.utime(tmp_path / "metrics.jsonl", (1040, 1040))
  run = runs.read_run(tmp_path)
  assert (run.state, run.seconds) == ("interrupted", 40)
  # As a copy may leave it: nothing is known then, and nothing is made up.
  os.utime(tmp_path / "metrics.jsonl", (1000, 1000))
  assert runs.read_run(tmp_path).seconds == 0


def test_a_resumed_run_took_the_time_of_all_its_starts(tmp_path):
  runs.begin(tmp_path, {}, {})
  runs.append_metrics(tmp_path, {"step": 1})
  os.utime(tmp_path / "config.json", (1000, 1000))
  os.utime(tmp_path / "metrics.jsonl", (1040, 1040))  # and killed
  runs.begin(tmp_path, {}, {})
  runs.end(tmp_path, "interrupted", 75)  # by a signal
  record = runs.read_json(tmp_path / "run.json")
  record["starts"][1]["time"], record["ended"] = (
    "2026-01-01T10:00:00+00:00",
    "2026-01-01T12:05:00+0200",
  )
  runs.write_json(tmp_path / "run.json", record)
  assert runs.read_run(tmp_path).seconds == 40 + 300
  runs.begin(tmp_path, {}, {})
  runs.end(tmp_path, "done", 0)
  third = runs.read_json(tmp_path / "run.json")["starts"]
  assert [sorted({"seen", "ended"} & set(one)) for one in third] == [["seen"], ["ended"], []]
  assert 340 <= runs.read_run(tmp_path).seconds < 400


def test_times_are_utc_and_one_without_a_zone_is_local(tmp_path, monkeypatch):
  monkeypatch.setenv("TZ", "Pacific/Auckland")
  time.tzset()
  try:
    runs.begin(tmp_path, {}, {})
    record = runs.read_json(tmp_path / "run.json")
    said = record["starts"][0]["time"]
    assert said.endswith("+00:00")
    assert abs(datetime.fromisoformat(said).timestamp() - time.time()) < 60
    record["starts"][0]["time"], record["ended"] = "2026-01-01T13:00:00", "2026-01-01T00:01:00+0000"
    runs.write_json(tmp_path / "run.json", record)
    assert runs.read_run(tmp_path).seconds == 60
  finally:
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
  ("rates", "speed"), [([], None), ([7.0], 7.0), ([7.0, 90.0], 90.0), ([7.0, 90, 110, 100], 100)]
)
def test_a_runs_speed_is_the_median_of_its_rows_but_the_first(rates, speed):
  rows = [{"split": "train", "images_per_second": rate} for rate in rates]
  others = [{"split": "validation", "images_per_second": 1.0}, {"split": "train"}]
  assert runs.speed([*rows, *others]) == speed


def test_the_code_hash_is_that_of_the_source(tmp_path, monkeypatch):
  assert runs.code_hash() == runs.code_hash()
  (tmp_path / "runs.py").write_text("x = 1")
  monkeypatch.setattr(runs, "__file__", str(tmp_path / "runs.py"))
  one = runs.code_hash()
  (tmp_path / "runs.py").write_text("x = 2")
  assert runs.code_hash() != one
