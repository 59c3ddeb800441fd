"""What normalisation subtracts and divides by, in the units of the pixels (0..255)."""

import numpy as np

from jaxnets.data.records import Source
from jaxnets.errors import ConfigError

# ImageNet means and deviations of the training set in RGB, of 0..1 pixels (fb.resnet.torch
# datasets/imagenet.lua; the same in torchvision), and their averages for grey images.
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CHUNK = 4096


def channel_statistics(source: Source) -> tuple[np.ndarray, np.ndarray]:
  """(mean, standard deviation) of every channel, float32 [1, 1, c], 0..255.

  Exact sums of integers over images in memory, so they do not depend on the order of addition;
  the published ImageNet numbers for streamed sets.
  """
  channels = source.info.channels
  if source.info.name == "synthetic":  # uniform bytes, which need no counting
    return _channels(np.full(channels, 127.5)), _channels(np.full(channels, (65535 / 12) ** 0.5))
  if source.images is None:
    mean, std = np.array(_IMAGENET_MEAN), np.array(_IMAGENET_STD)
    if channels != 3:
      mean, std = np.full(channels, mean.mean()), np.full(channels, std.mean())
    return _channels(mean * 255), _channels(std * 255)
  total, squares, count = [0] * channels, [0] * channels, 0
  for chunk in _chunks(source.images):
    for c in range(channels):
      values = np.bincount(chunk[..., c].ravel(), minlength=256)
      total[c] += int(values @ np.arange(256))
      squares[c] += int(values @ np.arange(256) ** 2)
    count += chunk[..., 0].size
  mean = np.array([t / count for t in total])
  # n * sum(x^2) - sum(x)^2 in whole numbers: no cancellation.
  std = np.array([(count * s - t * t) ** 0.5 / count for t, s in zip(total, squares, strict=True)])
  return _channels(mean), _channels(std)


def mean_image(source: Source) -> np.ndarray:
  """The mean over images of every pixel, float32 [h, w, c], 0..255 (AlexNet section 2, ResNet).

  Raises:
    ConfigError: a streamed set, whose images have no common pixels.
  """
  if source.images is None:
    raise ConfigError(
      f"data.name={source.info.name} is streamed: it has no mean image\nuse the channel means"
    )
  total = np.zeros(source.images.shape[1:], np.int64)
  for chunk in _chunks(source.images):
    total += chunk.sum(axis=0, dtype=np.int64)
  return (total / len(source.images)).astype(np.float32)


def _chunks(images: np.ndarray):
  return (images[i : i + _CHUNK] for i in range(0, len(images), _CHUNK))


def _channels(values: np.ndarray) -> np.ndarray:
  return values.astype(np.float32).reshape(1, 1, -1)
