"""Trackers are told what metrics.jsonl is told, when they are named and only then."""

import struct
import sys
from types import SimpleNamespace

import pytest
from tensorboardX.proto.event_pb2 import Event

from jaxnets import runs
from jaxnets.cli import main
from jaxnets.errors import DataError
from jaxnets.train import loop, track
from tests.train.tiny import tiny_config


def scalars(folder):
  """{(tag, step): value} of the event files, records of length, checksum, bytes, checksum."""
  found = {}
  for path in sorted(folder.glob("events*")):
    data, at = path.read_bytes(), 0
    while at < len(data):
      (length,) = struct.unpack_from("<Q", data, at)
      event = Event.FromString(data[at + 12 : at + 12 + length])
      at += 16 + length
      found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
  return found


def told(workdir):
  """What should be there, from metrics.jsonl."""
  return {
    (f"{row['split']}/{name}", row["step"]): value
    for row in runs.read_metrics(workdir)
    for name, value in row.items()
    if name not in ("step", "split")
  }


def test_tensorboard_has_every_number_of_every_row(tmp_path):
  loop.fit(tiny_config(), tmp_path, track=["tb"])
  found, wanted = scalars(tmp_path / "tb"), told(tmp_path)
  assert len(wanted) > 20
  assert found.keys() == wanted.keys()
  assert all(found[key] == pytest.approx(value) for key, value in wanted.items())


def test_wandb_is_told_the_config_and_every_row(tmp_path, monkeypatch):
  rows, facts, ended = [], {}, []

  def init(**given):
    facts.update(given)
    return SimpleNamespace(
      log=lambda row, step: rows.append((step, row)), finish=lambda: ended.append(True)
    )

  monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
  loop.fit(tiny_config(), tmp_path, track=["wandb"])
  assert facts["config"]["net.depth"] == 8
  assert {(tag, step): v for step, row in rows for tag, v in row.items()} == told(tmp_path)
  assert ended == [True]


def test_nothing_is_tracked_unless_named(tmp_path):
  loop.fit(tiny_config(train__steps=2), tmp_path)
  assert not (tmp_path / "tb").exists()


def test_a_tracker_that_is_not_installed_is_told_in_two_lines(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "wandb", None)
  with (
    pytest.raises(DataError, match=r'needs wandb, .*\npip install "jaxnets\[wandb\]"'),
    track.sinks(["wandb"], tmp_path, tiny_config(), 0),
  ):
    pass


def test_a_tracker_that_there_is_not_is_refused(capsys, tmp_path):
  words = ["--config=experiments/quickstart.py", f"--workdir={tmp_path}", "--track=tbb"]
  assert main(["launch.py", *words]) == 2
  assert 'Did you mean "tb"?' in capsys.readouterr().err
