import json
import logging

import pytest

from jaxnets import config, data, runs
from jaxnets.errors import ConfigError, DivergedError
from jaxnets.train import experiment, loop
from tests.train.tiny import tiny_config

logging.getLogger("jaxnets").propagate = True


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """A short run with accumulation of everything a run leaves behind."""
  workdir = tmp_path_factory.mktemp("run")
  c = tiny_config(data__crop="pad", data__pad=1)
  return c, workdir, loop.fit(c, workdir)


def test_the_run_folder_says_what_happened(finished):
  c, workdir, summary = finished
  assert runs.read_json(workdir / "config.json") == config.to_json(c)
  assert runs.read_json(workdir / "summary.json") == summary
  run = runs.read_json(workdir / "run.json")
  assert run["schema"] == 1
  assert run["state"] == "running"  # the caller notes the end
  assert run["devices"].startswith("1 x ")
  assert (summary["state"], summary["step"]) == ("done", 8)
  assert len(summary["params_sha256"]) == 64


def test_every_image_of_a_split_is_counted_once(finished):
  _, _, summary = finished
  metrics = summary["metrics"]
  assert (metrics["test_count"], metrics["validation_count"]) == (500, 130)
  assert metrics["test_top1"] * 500 == pytest.approx(round(metrics["test_top1"] * 500))
  assert "8x8 px" in metrics["protocol"]


def test_the_test_split_is_read_once_and_only_at_the_end(finished):
  _, workdir, _ = finished
  rows = [r for r in runs.read_metrics(workdir) if r["split"] == "test"]
  assert [r["step"] for r in rows] == [8]
  assert runs.read_json(workdir / "run.json")["test_reads"] == 1


def test_rows_of_metrics_cover_every_step_once(finished):
  _, workdir, _ = finished
  rows = [r for r in runs.read_metrics(workdir) if r["split"] == "train"]
  assert sum(r["count"] for r in rows) == 8 * 32
  assert [r["step"] for r in rows] == [2, 3, 4, 6, 8]


def test_the_validation_images_are_not_trained_on():
  built = experiment.build(tiny_config())
  whole = data.load("digits", "train", validation=0.0)
  assert len(built.training.labels) + len(built.validation.labels) == len(whole.labels) == 1297


def test_a_loss_that_is_not_finite_keeps_the_last_finite_checkpoint(tmp_path):
  c = tiny_config(optim__lr=1e30, optim__warmup_steps=4, train__steps=20, optim__schedule="step",
                  optim__drops=(0.9,), net__norm="none")  # fmt: skip
  with pytest.raises(DivergedError, match=r"at step \d+ \(learning rate .*\)") as error:
    loop.fit(c, tmp_path)
  assert "optim.warmup_steps" in str(error.value)
  steps = [int(p.name) for p in (tmp_path / "checkpoints").iterdir() if p.name.isdigit()]
  last_finite = int(str(error.value).split("at step ")[1].split()[0]) - 1
  assert all(step <= last_finite for step in steps)


def test_the_plateau_lowers_the_rate_of_a_run_that_stands_still(tmp_path):
  # A rate of almost nothing: the validation error cannot fall.
  c = tiny_config(optim__schedule="plateau", optim__lr=1e-12, optim__patience=1, eval__every=2,
                  train__steps=8)  # fmt: skip
  built = experiment.build(c)
  assert float(built.abstract.plateau.scale.dtype.type(1)) == 1
  loop.fit(c, tmp_path)
  abstract = built.abstract
  checkpoints = loop.Checkpoints(tmp_path / "checkpoints", 2)
  state = checkpoints.restore(abstract)
  checkpoints.close()
  assert float(state.plateau.scale) < 0.2


def test_plain_and_residual_nets_see_the_same_batches():
  batches = []
  for shortcut in ("A", "none"):
    built = experiment.build(tiny_config(net__shortcut=shortcut))
    batches.append(next(loop.training_batches(built, 3)))
  assert (batches[0]["image"] == batches[1]["image"]).all()


@pytest.mark.parametrize(
  ("overrides", "message"),
  [
    ({"data__image_size": 40, "net__name": "alexnet"}, "images of 6[0-9]x6[0-9] or more"),
    ({"data__crop": "fixed"}, "data.crop"),
    ({"data__lighting": 0.1}, "data.lighting"),
    ({"optim__warmup_steps": 8}, "warmup_steps"),
  ],
)
def test_what_cannot_be_meant_is_found_before_anything_compiles(overrides, message):
  c = tiny_config(overrides.pop("net__name", "cifar_resnet20"), **overrides)
  with pytest.raises(ConfigError, match=message) as error:
    experiment.build(c)
  assert str(error.value).count("\n") <= 1


def test_metrics_rows_after_the_checkpoint_are_written_again_not_twice(tmp_path):
  for step in (1, 2, 3):
    runs.append_metrics(tmp_path, {"step": step})
  with open(tmp_path / "metrics.jsonl", "a") as file:
    file.write('{"step": 4, "lo')  # cut off by a kill
  runs.trim_metrics(tmp_path, 2)
  lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
  assert [json.loads(line)["step"] for line in lines] == [1, 2]
