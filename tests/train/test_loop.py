import json
import logging
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import config, data, runs
from jaxnets.errors import ConfigError, DataError, DivergedError, StoppedError
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


def test_the_training_accuracy_is_of_the_last_tenth_however_the_run_was_watched(tmp_path):
  seen = []
  for i, every in enumerate((1, 7, 50)):
    (tmp_path / str(i)).mkdir()
    c = tiny_config(train__steps=30, train__log_every=every, train__checkpoint_every=11 + i)
    metrics = loop.fit(c, tmp_path / str(i))["metrics"]
    seen.append([metrics[f"train_{name}"] for name in ("loss", "top1", "count")])
  assert seen[0] == seen[1] == seen[2]
  assert seen[0][2] == 3 * 32


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


def test_the_time_of_an_image_at_inference_is_noted_beside_what_repeats_to_the_bit(finished):
  c, workdir, summary = finished
  found = runs.read_json(workdir / "run.json")["inference"]
  assert found["batch"] == c.eval.batch
  assert 0 < found["seconds_per_image"] < 1
  assert "inference" not in summary


def test_rows_of_metrics_cover_every_step_once(finished):
  _, workdir, _ = finished
  rows = [r for r in runs.read_metrics(workdir) if r["split"] == "train"]
  assert sum(r["count"] for r in rows) == 8 * 32
  assert [r["step"] for r in rows] == [2, 3, 4, 6, 7, 8]


def test_the_validation_images_are_not_trained_on():
  built = experiment.build(tiny_config())
  whole = data.load("digits", "train", validation=0.0)
  assert len(built.training.labels) + len(built.validation.labels) == len(whole.labels) == 1297


def diverging(**overrides):
  """A run with a checkpoint after every step, for a schedule that leaves the numbers."""
  return tiny_config(optim__schedule="step", optim__drops=(0.4,), optim__lr=1e-3, train__steps=10,
                     train__checkpoint_every=1, **overrides)  # fmt: skip


def kept(workdir):
  folder = workdir / "checkpoints"
  return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())


@pytest.mark.parametrize("keep", [1, 2])
def test_a_run_that_diverges_keeps_its_last_finite_state(tmp_path, monkeypatch, keep):
  c = diverging(train__keep=keep)
  make = experiment.optim.make_schedule

  def schedule(*arguments, **options):
    steady = make(*arguments, **options)
    return lambda step: steady(step) * jnp.where(step < 4, 1.0, 1e38)

  monkeypatch.setattr(experiment.optim, "make_schedule", schedule)
  with pytest.raises(DivergedError, match=r"at step 5 \(learning rate 2.5e\+33\)") as error:
    loop.fit(c, tmp_path)
  assert "optim.warmup_steps" in str(error.value)
  assert "checkpoint 4 is kept" in str(error.value)
  assert kept(tmp_path) == [3, 4][-keep:]
  built = experiment.build(c)
  checkpoints = loop.Checkpoints(tmp_path / "checkpoints", keep)
  state = checkpoints.restore(built.abstract)
  checkpoints.close()
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(jax.device_get(state)))


def test_a_run_that_diverges_at_its_last_step_is_not_done(tmp_path):
  c = tiny_config(optim__lr=3e38, optim__lr_scaling="none", train__steps=1, eval__every=1)
  with pytest.raises(DivergedError):
    loop.fit(c, tmp_path)
  assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("lr_in_velocity", [False, True])
def test_the_plateau_lowers_the_rate_of_a_run_that_stands_still(tmp_path, lr_in_velocity):
  # A rate of almost nothing: the validation error cannot fall.
  c = tiny_config(optim__schedule="plateau", optim__lr=1e-12, optim__patience=1, eval__every=2,
                  optim__lr_in_velocity=lr_in_velocity)  # fmt: skip
  loop.fit(c, tmp_path)
  rates = {r["step"]: r["lr"] for r in runs.read_metrics(tmp_path) if r["split"] == "train"}
  peak = 1e-12 * 32 / 128
  assert rates[2] == pytest.approx(peak)
  assert rates[8] < 0.2 * peak


def test_a_plateau_without_evaluations_is_refused():
  with pytest.raises(ConfigError, match="follows the validation error"):
    tiny_config(optim__schedule="plateau", data__validation=0.0)
  with pytest.raises(ConfigError, match="follows the evaluations"):
    experiment.build(tiny_config(optim__schedule="plateau", eval__every=100))


def test_a_signal_during_an_evaluation_loses_nothing(tmp_path, monkeypatch):
  real = loop.evaluate

  def evaluate(*arguments):
    signal.raise_signal(signal.SIGTERM)
    return real(*arguments)

  monkeypatch.setattr(loop, "evaluate", evaluate)
  c = tiny_config(train__checkpoint_every=1000)
  with pytest.raises(StoppedError, match="at step 5 of 8; checkpoint 5 is kept") as error:
    loop.fit(c, tmp_path)
  assert error.value.exit_code == 75
  assert kept(tmp_path) == [5]


def test_a_resumed_run_refuses_other_data(tmp_path):
  runs.begin(tmp_path, {}, {"data_fingerprint": "aaa"})
  with pytest.raises(DataError, match="fingerprint aaa, now bbb"):
    runs.begin(tmp_path, {}, {"data_fingerprint": "bbb"})


def test_the_test_images_are_loaded_once_and_last(tmp_path, monkeypatch):
  loaded = []
  real = data.load

  def load(name, split, **options):
    loaded.append(split)
    return real(name, split, **options)

  monkeypatch.setattr(data, "load", load)
  loop.fit(tiny_config(train__steps=2), tmp_path)
  assert loaded == ["train", "validation", "test"]


def test_a_net_that_no_machine_holds_is_refused_at_once():
  with pytest.raises(ConfigError, match="parameters and optimiser state need .* GiB"):
    experiment.build(tiny_config("mlp", data__image_size=100_000))


def test_the_batch_must_split_over_the_devices():
  with pytest.raises(ConfigError, match=r"\(=100\) must be a multiple of devices \(=8\); nearest"):
    experiment.check_divisible(tiny_config(train__batch=100), 8)
  c = tiny_config(train__form="shard_map", train__norm_group=16)
  with pytest.raises(ConfigError, match=r"must divide the images of a device \(=4\)"):
    experiment.check_divisible(c, 8)
  experiment.check_divisible(tiny_config(train__form="shard_map", train__norm_group=4), 8)


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
    runs.append_metrics(tmp_path, {"step": step, "split": "train"})
  with open(tmp_path / "metrics.jsonl", "a") as file:
    file.write('{"step": 4, "lo')  # cut off by a kill
  runs.trim_metrics(tmp_path, 2)
  lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
  assert [json.loads(line)["step"] for line in lines] == [1, 2]
