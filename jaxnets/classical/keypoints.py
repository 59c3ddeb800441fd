"""SIFT's descriptors where Lowe's detector, as skimage has it, finds keypoints (IJCV 2004)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxnets.classical.images import cells, grey

LENGTH = 128
_DOUBLED, _SMALLEST = 2, 12  # skimage doubles images; an octave has at least so many px a side


class Keypoints(NamedTuple):
  """Those of an image, in the detector's order."""

  places: np.ndarray  # int64 [k, 2]: row and column, px
  descriptors: np.ndarray  # float32 [k, 128]: whole numbers, 0..255


def keypoints(images: np.ndarray) -> Iterator[Keypoints]:
  """Of each of some images uint8 [n, h, w, c]; an image may well have none."""
  from skimage.feature import SIFT

  detector = SIFT()
  for image in images:
    try:
      detector.detect_and_extract(grey(image[None])[0])
    except RuntimeError as error:
      if "found no features" not in str(error):
        raise
      yield Keypoints(np.zeros((0, 2), np.int64), np.zeros((0, LENGTH), np.float32))
    else:
      places, found = detector.keypoints, detector.descriptors
      assert places is not None
      assert found is not None
      yield Keypoints(places, found.astype(np.float32))


def sampled(images: np.ndarray, count: int) -> np.ndarray:
  """The first descriptors of images, taken one after the other, float32 [count or fewer, 128]."""
  found, held = [np.zeros((0, LENGTH), np.float32)], 0
  for one in keypoints(images):
    if held >= count:
      break
    found.append(one.descriptors)
    held += len(one.descriptors)
  return np.concatenate(found)[:count]


def bag(places: np.ndarray, words: np.ndarray, count: int, size: int, grid: int) -> np.ndarray:
  """Shares of an image's keypoints that are of a word in a cell, float32 [grid * grid * count].

  Zeros where the image has none.

  Args:
    places: of the keypoints.
    words: int64 [k], the word of each.
    count: of all words.
    size: side of the image, px.
    grid: cells along each side.
  """
  along = cells(size, grid)
  index = (along[places[:, 0]] * grid + along[places[:, 1]]) * count + words
  return (np.bincount(index, minlength=grid**2 * count) / max(1, len(words))).astype(np.float32)


def fits(size: int) -> bool:
  """Whether the detector has an octave."""
  return _DOUBLED * size >= _SMALLEST
