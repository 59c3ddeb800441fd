"""k-means features of patches (Coates, Lee, Ng, AISTATS 2011).

Patches are normalised in contrast (section 3.1.1), whitened by ZCA (3.1.2), clustered, encoded by
the triangle activation max(0, mean(z) - z) of their distances z to the centroids (3.2.1), at every
pixel (stride 1), and summed over the four quadrants (3.3). Constants are those of the authors'
code.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.data import order

_CHUNK = 4  # images at a time: at 32 px their activations take 2 MB with 200 centroids
_NEAR = 0.01  # of the square of a patch: a squared distance whose first two digits have cancelled
_PATCH_SALT = 0x7061746368


class Dictionary(NamedTuple):
  """What is learned from training patches; d numbers in a patch."""

  mean: np.ndarray  # float32 [d]
  whitening: np.ndarray  # float32 [d, d], symmetric
  centroids: np.ndarray  # float32 [centroids, d], of whitened patches


def fit(images: np.ndarray, section: Any, seed: int) -> Dictionary:
  """Whitening and centroids of random patches of training images uint8 [n, h, w, c]."""
  from jaxnets.classical.clustering import centres

  patches = contrast(sample(images, section, seed), section.contrast)
  mean, whitening = zca(patches, section.whitening)
  return Dictionary(mean, whitening, centres((patches - mean) @ whitening, section.centroids, seed))


def describe(images: np.ndarray, section: Any, learned: Dictionary) -> np.ndarray:
  """Triangle activations summed over quadrants, float32 [n, 4 * centroids]."""
  parts = [
    _describe(images[start : start + _CHUNK], section, learned)
    for start in range(0, len(images), _CHUNK)
  ]
  return np.concatenate(parts)


def sample(images: np.ndarray, section: Any, seed: int) -> np.ndarray:
  """Random patches, float32 [sample, patch * patch * c], chosen by the seed."""
  count, height, width, _ = images.shape
  side = section.patch
  places = [
    (order.words(seed + _PATCH_SALT, axis, 0, section.sample) % limit).astype(np.int64)
    for axis, limit in enumerate((count, height - side + 1, width - side + 1))
  ]
  image, y, x = (place[:, None, None] for place in places)
  along = np.arange(side)
  chosen = images[image, y + along[:, None], x + along]
  return chosen.reshape(section.sample, -1).astype(np.float32)


def contrast(patches: np.ndarray, added: float) -> np.ndarray:
  """Patches [n, d] with mean 0 and deviation 1, as far as their variance exceeds `added`."""
  centred = patches - patches.mean(axis=1, keepdims=True)
  return centred / np.sqrt(centred.var(axis=1, ddof=1, keepdims=True) + np.float32(added))


def zca(patches: np.ndarray, added: float) -> tuple[np.ndarray, np.ndarray]:
  """The mean [d] and the symmetric matrix [d, d] that gives patches [n, d] the covariance 1.

  `added` to the variances keeps directions with next to none from being blown up.
  """
  mean = patches.mean(axis=0)
  values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False, dtype=np.float64))
  scale = 1 / np.sqrt(np.maximum(values, 0) + added)
  return mean.astype(np.float32), ((vectors * scale) @ vectors.T).astype(np.float32)


def triangle(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
  """max(0, mean(z) - z) of the distances z of points [n, d] to centroids [k, d]: float32 [n, k]."""
  # In place, which takes half the time.
  squares = (points**2).sum(axis=1, keepdims=True)
  distance = squares + (centroids**2).sum(axis=1)
  products = points @ centroids.T
  products *= 2
  distance -= products
  # Next to nothing is left of the squares of a patch that lies at a centroid, but their rounding.
  near, centre = np.divmod(np.flatnonzero(distance < _NEAR * squares), len(centroids))
  distance[near, centre] = ((points[near] - centroids[centre]) ** 2).sum(axis=1)
  np.sqrt(distance, out=distance)
  np.subtract(distance.mean(axis=1, keepdims=True), distance, out=distance)
  return np.maximum(distance, 0, out=distance)


def quadrants(maps: np.ndarray) -> np.ndarray:
  """Sums of maps [n, h, w, k] over four quadrants, [n, 2, 2, k]; the first halves round up."""
  for axis in (1, 2):
    maps = np.add.reduceat(maps, [0, -(-maps.shape[axis] // 2)], axis=axis)
  return maps


def fits(size: int, section: Any) -> bool:
  """Whether each quadrant has a patch."""
  return size > section.patch


def macs(size: int, channels: int, section: Any) -> int:
  """Multiply-adds of one image, by the rule of `features`."""
  places, d = (size - section.patch + 1) ** 2, section.patch**2 * channels
  normalised, whitened, distances, summed = 2 * d, d * d, d * section.centroids, section.centroids
  return places * (normalised + whitened + distances + summed)


def learned(dictionary: Dictionary) -> int:
  """Numbers that were learned from training images."""
  return sum(part.size for part in dictionary)


def _describe(images: np.ndarray, section: Any, learned: Dictionary) -> np.ndarray:
  side = section.patch
  windows = np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(1, 2))
  count, high, wide = windows.shape[:3]
  patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(count * high * wide, -1)
  whitened = (contrast(patches.astype(np.float32), section.contrast) - learned.mean) @ (
    learned.whitening
  )
  maps = triangle(whitened, learned.centroids).reshape(count, high, wide, -1)
  return quadrants(maps).reshape(count, -1)
