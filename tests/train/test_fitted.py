"""The training images at the end of a run, seen as the test images are."""

import pytest

from jaxnets import config, data
from jaxnets.train import loop
from jaxnets.train.evaluate import evaluate_run
from tests.train.tiny import tiny_config

MLP = {"net__hidden": 32, "net__dropout": 0.5, "train__steps": 20}


def test_the_fitted_images_are_all_training_images_without_dropout_and_change_no_bit(tmp_path):
  found = {}
  for is_fitted in (False, True):
    (tmp_path / str(is_fitted)).mkdir()
    c = tiny_config("mlp", **MLP, eval__fitted=is_fitted)
    found[is_fitted] = loop.fit(c, tmp_path / str(is_fitted))
  assert found[True]["params_sha256"] == found[False]["params_sha256"]
  metrics = found[True]["metrics"]
  assert not any(name.startswith("fitted") for name in found[False]["metrics"])
  source = data.load("digits", "train", validation=c.data.validation, image_size=8)
  assert metrics["fitted_count"] == len(source.labels)
  again = evaluate_run(c, tmp_path / "True", "train", None)
  assert metrics["fitted_top1"] == again["top1"]
  assert metrics["fitted_loss"] == pytest.approx(again["loss"], rel=1e-6)
  # With half of the units away, fewer are right.
  assert metrics["fitted_top1"] > metrics["train_top1"]


def test_a_config_that_does_not_ask_for_them_is_the_one_it_was_before():
  assert "fitted" not in config.to_json(tiny_config())["eval"]
  assert config.to_json(tiny_config(eval__fitted=True))["eval"]["fitted"]
