"""Nested subsets of training images."""

import numpy as np

from jaxnets.data import order
from jaxnets.data.records import Source, Stored, select
from jaxnets.errors import ConfigError

# The words of subsets, apart from those of the data order, which the same seed gives.
_SALT = 0x737562736574


def subset(labels: np.ndarray, size: int, seed: int, field: str = "data.images") -> np.ndarray:
  """The rows of a training subset, sorted int64 [size].

  A smaller subset of the same seed is part of a larger one. Classes have the same number of images
  up to one, as long as each has enough.

  Args:
    labels: int32 [n] of all training images.
    size: images in the subset; 0: all.
    seed: chooses among the images of each class.
    field: of the config, for the error.

  Raises:
    ConfigError: fewer training images than `size`.
  """
  if size > len(labels):
    raise ConfigError(f"{field} (={size}) must be at most {len(labels)}, or 0 for all")
  if not size:
    return np.arange(len(labels))
  shuffled = order.permutation(seed + _SALT, 0, len(labels))
  rank = np.empty(len(labels), np.int64)  # of an image among those of its class
  for label in np.unique(labels):
    own = shuffled[labels[shuffled] == label]
    rank[own] = np.arange(len(own))
  return np.sort(np.lexsort((labels, rank))[:size])


def taken(source: Source, rows: np.ndarray) -> Source:
  """Some images of a split."""
  stored = Stored(source.labels, source.images, source.records)
  return Source(source.info, source.split, *select(stored, rows))
