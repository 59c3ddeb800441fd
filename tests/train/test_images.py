"""Nets that train on a part of the training images."""

import numpy as np
import pytest

from jaxnets import config
from jaxnets.data.subset import subset
from jaxnets.errors import ConfigError
from jaxnets.train import loop
from jaxnets.train.experiment import build
from tests.train.tiny import tiny_config


def test_a_net_trains_on_the_images_that_a_pipeline_of_the_same_seed_is_fitted_to(tmp_path):
  whole = build(tiny_config("mlp", net__hidden=8))
  for seed in (0, 1):
    part = build(tiny_config("mlp", net__hidden=8, data__images=95, seed=seed))
    rows = subset(whole.training.labels, 95, seed)
    assert whole.training.images is not None
    np.testing.assert_array_equal(part.training.images, whole.training.images[rows])
    np.testing.assert_array_equal(part.training.labels, whole.training.labels[rows])
    assert part.validation is not None
    assert whole.validation is not None
    assert len(part.validation.labels) == len(whole.validation.labels)
  c = tiny_config("mlp", net__hidden=8, data__images=95, train__steps=0, train__epochs=2.0)
  summary = loop.fit(c, tmp_path)
  assert summary["images"] == 95
  assert summary["step"] == 6  # two passes in batches of 32


def test_more_images_than_there_are_are_refused():
  with pytest.raises(ConfigError, match=r"data.images \(=5000\) must be at most 1167"):
    build(tiny_config("mlp", data__images=5000))


def test_a_config_of_all_images_is_the_one_it_was():
  assert "images" not in config.to_json(tiny_config())["data"]


def test_runs_of_so_many_steps_share_a_program_whatever_their_images():
  def of(**overrides):
    return config.program(tiny_config("mlp", **overrides))

  assert of(data__images=95) == of()
  epochs = {"train__steps": 0, "train__epochs": 2.0}
  assert of(data__images=95, **epochs) != of(**epochs)
