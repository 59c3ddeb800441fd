"""The test images under many dropout masks, beside weight scaling."""

import json

import jax
import numpy as np
import pytest

from jaxnets import config, data
from jaxnets.data.batches import eval_batches
from jaxnets.errors import ConfigError
from jaxnets.train import loop
from jaxnets.train.evaluate import evaluate
from jaxnets.train.experiment import build
from tests.train.tiny import tiny_config

MLP = {"net__hidden": 32, "net__dropout": 0.2, "train__steps": 20}


def test_a_run_with_masks_ends_at_the_same_bits_and_tells_the_accuracy_of_their_mean(tmp_path):
  for name in ("plain", "masked"):
    (tmp_path / name).mkdir()
  plain = loop.fit(tiny_config("mlp", **MLP), tmp_path / "plain")
  masked = loop.fit(tiny_config("mlp", **MLP, eval__masks=30), tmp_path / "masked")
  assert masked["params_sha256"] == plain["params_sha256"]
  found = masked["metrics"]
  assert "test_masked_top1" not in plain["metrics"]
  assert found["test_top1"] == plain["metrics"]["test_top1"]
  assert found["test_masked_top1"] == pytest.approx(found["test_top1"], abs=0.1)
  assert found["test_masked_loss"] != found["test_loss"]
  record = json.loads((tmp_path / "masked" / "run.json").read_text())
  assert record["test_reads"] == 1


def test_the_loss_under_masks_is_that_of_the_rate_of_the_run_not_of_its_program():
  c = tiny_config("mlp", **MLP, eval__masks=30, eval__batch=400, seed=7)
  experiment = build(c)
  state = experiment.init(jax.random.key(1))
  source = data.load("digits", "test", image_size=8)
  found = evaluate(experiment, state, source, masked=True)["loss"]
  wanted = {}
  for rate in (0.2, 0.5):  # of the run, and of all runs of its program
    total = 0.0
    for number, rows in enumerate(eval_batches(source, batch=400, image_size=8)):
      key = jax.random.fold_in(jax.random.key(7), number)
      step = experiment.masked_step
      assert step is not None
      sums = step(state.params, state.stats, rows, key, dropout=np.float32(rate))
      total += float(sums["loss"])
    wanted[rate] = total / len(source.labels)
  assert found == pytest.approx(wanted[0.2], rel=1e-6)
  assert found != pytest.approx(wanted[0.5], rel=1e-4)


def test_masks_need_a_net_with_dropout_and_no_batch_norm():
  with pytest.raises(ConfigError, match="has no dropout"):
    build(tiny_config("mlp", eval__masks=3))
  with pytest.raises(ConfigError, match="uses the batch's moments"):
    build(tiny_config("cifar_resnet20", eval__masks=3, net__dropout=0.1))


def test_a_config_without_masks_is_the_one_it_was_before_there_were_any():
  assert "masks" not in config.to_json(tiny_config())["eval"]
  assert config.to_json(tiny_config("mlp", **MLP, eval__masks=3))["eval"]["masks"] == 3
