import numpy as np
import pytest

from jaxnets import data
from jaxnets.data import statistics
from jaxnets.errors import ConfigError


def test_statistics_are_those_of_numpy():
  source = data.load("digits", "train")
  mean, std = statistics.channel_statistics(source)
  assert mean.shape == std.shape == (1, 1, 1)
  assert mean.dtype == std.dtype == np.float32
  assert mean.item() == pytest.approx(source.images.mean(), rel=1e-6)
  assert std.item() == pytest.approx(source.images.std(), rel=1e-6)
  image = statistics.mean_image(source)
  assert image.dtype == np.float32
  assert np.allclose(image, source.images.mean(axis=0), rtol=1e-6)


def test_streamed_sets_get_the_imagenet_numbers(photos):
  source = data.load(f"folder:{photos}", "train")
  mean, std = statistics.channel_statistics(source)
  assert mean.ravel() == pytest.approx([123.675, 116.28, 103.53])
  assert std.ravel() == pytest.approx([58.395, 57.12, 57.375])
  with pytest.raises(ConfigError, match="no mean image"):
    statistics.mean_image(source)
