"""SIFT descriptors as bags of visual words: dense, or at keypoints (`sift.detector`).

The descriptor is Lowe's (IJCV 2004, section 6): 4x4 bins of 8 orientations, trilinear votes,
Gaussian window, unit length, clipped at 0.2, unit length again. A bag is the histogram of the
descriptors' nearest words (Csurka et al. 2004) in each cell of a grid.

Dense, the default, it is taken upright, at one scale, 81 times in an image of 32 px, and is not
invariant to scale and rotation. Lowe's detector, as skimage has it with the image doubled, finds 15
keypoints there (the mean of the first 60 training images of CIFAR-10, of one only 3), and dense
grids describe scenes and classes better (Fei-Fei and Perona, CVPR 2005).
"""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.classical import keypoints
from jaxnets.classical.hog import gradients
from jaxnets.classical.images import grey, histograms
from jaxnets.data import order

BINS, ORIENTATIONS = 4, 8
LENGTH = BINS * BINS * ORIENTATIONS
_CLIP = 0.2


class Words(NamedTuple):
  """A vocabulary."""

  centres: np.ndarray  # float32 [words, 128]


def fit(images: np.ndarray, section: Any, seed: int) -> Words:
  """The vocabulary of training images uint8 [n, h, w, c], by k-means.

  It sees the descriptors of as many images, in the seed's order, as give `section.sample`.
  """
  from jaxnets.classical.clustering import centres

  found = SAMPLED[section.detector](images, section, seed)
  return Words(centres(found, section.words, seed))


def describe(images: np.ndarray, section: Any, words: Words) -> np.ndarray:
  """Shares of the words in each cell, float32 [n, grid * grid * words].

  Dense, they are shares of the cell's descriptors; else of all keypoints of the image.
  """
  return BAGS[section.detector](images, section, words)


def _dense_sample(images: np.ndarray, section: Any, seed: int) -> np.ndarray:
  here = positions(images.shape[1], section)
  wanted = -(-section.sample // len(here) ** 2)
  rows = np.sort(order.permutation(seed, 0, len(images))[:wanted])
  return descriptors(images[rows], section).reshape(-1, LENGTH)[: section.sample]


def _dense_bags(images: np.ndarray, section: Any, words: Words) -> np.ndarray:
  found = descriptors(images, section)
  nearest = nearest_words(found.reshape(-1, LENGTH), words)
  return histograms(nearest.reshape(found.shape[:3]), len(words.centres), section.grid)


def _keypoint_sample(images: np.ndarray, section: Any, seed: int) -> np.ndarray:
  return keypoints.sampled(images[order.permutation(seed, 0, len(images))], section.sample)


def _keypoint_bags(images: np.ndarray, section: Any, words: Words) -> np.ndarray:
  count, size = len(words.centres), images.shape[1]
  return np.stack(
    [
      keypoints.bag(
        one.places, nearest_words(one.descriptors, words), count, size, section.grid
      )
      for one in keypoints.keypoints(images)
    ]
  )  # fmt: skip


SAMPLED = {"dense": _dense_sample, "keypoints": _keypoint_sample}
BAGS = {"dense": _dense_bags, "keypoints": _keypoint_bags}


def nearest_words(found: np.ndarray, words: Words) -> np.ndarray:
  """The number of the nearest centre of each descriptor [n, 128], int64 [n]."""
  halves = (words.centres**2).sum(axis=1) / 2
  return (halves - found @ words.centres.T).argmin(axis=1)


def descriptors(images: np.ndarray, section: Any) -> np.ndarray:
  """Upright descriptors at `positions`, float32 [n, p, p, 128]: 4x4 bins of 8 orientations.

  A patch without any gradient is described by zeros.
  """
  oriented = orientations(grey(images))
  pool = _pool(images.shape[1], section)
  pooled = np.einsum("py,noyx,qx->npqo", pool, oriented, pool, optimize=True)
  count, p = len(images), len(pool) // BINS
  bins = pooled.reshape(count, p, BINS, p, BINS, ORIENTATIONS).transpose(0, 1, 3, 2, 4, 5)
  flat = bins.reshape(count, p, p, LENGTH)
  return _unit(np.minimum(_unit(flat), _CLIP)).astype(np.float32)


def orientations(light: np.ndarray) -> np.ndarray:
  """Gradient lengths of grey images [n, h, w], shared by the two nearest of 8 directions.

  Returns:
    float32 [n, 8, h, w]; direction 0 points along the row, 2 down.
  """
  down, right = (d.astype(np.float32) for d in gradients(light[..., None]))
  turn = np.arctan2(down, right) * (ORIENTATIONS / (2 * np.pi))
  length = np.hypot(down, right)
  maps = []
  for o in range(ORIENTATIONS):
    away = np.abs((turn - o + ORIENTATIONS / 2) % ORIENTATIONS - ORIENTATIONS / 2)
    maps.append(np.maximum(0, 1 - away) * length)
  return np.stack(maps, axis=1)


def positions(size: int, section: Any) -> np.ndarray:
  """First pixels of the patches along a side, int64 [p]; empty where none fits."""
  return np.arange(0, size - BINS * section.bin + 1, section.step)


def fits(size: int, section: Any) -> bool:
  """Whether a patch fits and each cell of the grid has a descriptor; or a detector's octave."""
  if section.detector == "keypoints":
    return keypoints.fits(size)
  return len(positions(size, section)) >= section.grid


def macs(size: int, channels: int, section: Any) -> int | None:
  """Multiply-adds of one image, by the rule of `features`: the last term is the nearest word.

  None at keypoints: they depend on the image.
  """
  if section.detector == "keypoints":
    return None
  p = len(positions(size, section))
  luma = 3 * size**2 if channels == 3 else 0
  votes = (4 + 2) * size**2
  pooling = ORIENTATIONS * (p * BINS * size**2 + (p * BINS) ** 2 * size)
  squares = 2 * p**2 * LENGTH
  return luma + votes + pooling + squares + p**2 * LENGTH * section.words


def learned(words: Words) -> int:
  """Numbers that were learned from training images."""
  return words.centres.size


def _pool(size: int, section: Any) -> np.ndarray:
  """Weights of pixels in bins along a side, float32 [p * 4, size].

  A triangle as wide as two bins shares a pixel between neighbours; the Gaussian of the patch, whose
  deviation is half its width, is taken at the bin's centre.
  """
  number = np.arange(BINS)
  centres = positions(size, section)[:, None] + (number + 0.5) * section.bin - 0.5
  weights = np.maximum(0, 1 - np.abs(np.arange(size) - centres[..., None]) / section.bin)
  window = np.exp(-(((number - (BINS - 1) / 2) / (BINS / 2)) ** 2) / 2)
  return (weights * window[:, None]).reshape(-1, size).astype(np.float32)


def _unit(flat: np.ndarray) -> np.ndarray:
  length = np.sqrt((flat**2).sum(axis=-1, keepdims=True))
  return flat / np.maximum(length, 1e-6)
