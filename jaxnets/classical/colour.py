"""Joint colour histograms on a grid (Swain and Ballard, IJCV 1991)."""

from typing import Any

import numpy as np

from jaxnets.classical.images import histograms


def describe(images: np.ndarray, section: Any) -> np.ndarray:
  """Shares of each cell's pixels in each joint bin, float32 [n, grid * grid * bins ** c].

  Args:
    images: uint8 [n, h, w, c]; of grey ones it is a histogram of greys.
    section: bins, grid.
  """
  codes = np.zeros(images.shape[:3], np.int64)
  for channel in np.moveaxis(images, 3, 0):
    codes = codes * section.bins + channel.astype(np.int64) * section.bins // 256
  return histograms(codes, section.bins ** images.shape[3], section.grid)


def fits(size: int, section: Any) -> bool:
  """Whether every cell of images of `size` px has a pixel."""
  return size >= section.grid


def macs(size: int, channels: int, section: Any) -> int:
  """Multiply-adds of one image, by the rule of `features`: a vote for each pixel."""
  del channels, section
  return size**2
