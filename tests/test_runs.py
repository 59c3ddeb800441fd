import multiprocessing
import os

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


def test_the_code_hash_is_that_of_the_source(tmp_path, monkeypatch):
  assert runs.code_hash() == runs.code_hash()
  (tmp_path / "runs.py").write_text("x = 1")
  monkeypatch.setattr(runs, "__file__", str(tmp_path / "runs.py"))
  one = runs.code_hash()
  (tmp_path / "runs.py").write_text("x = 2")
  assert runs.code_hash() != one
