"""Histograms of local binary patterns on a grid (Ojala, Pietikainen, Maenpaa, PAMI 2002)."""

from typing import Any

import numpy as np

from jaxnets.classical.images import grey, histograms


def describe(images: np.ndarray, section: Any) -> np.ndarray:
  """Shares of the uniform patterns of the luma in each cell, float32 [n, grid * grid * patterns].

  Beyond the border the image goes on with its outermost pixels.

  Args:
    images: uint8 [n, h, w, c].
    section: points, radius, method, grid.
  """
  return histograms(patterns(grey(images), section), patterns_of(section), section.grid)


def patterns(images: np.ndarray, section: Any) -> np.ndarray:
  """The pattern of each pixel of grey images uint8 [n, h, w], int64 of the same shape."""
  from skimage.feature import local_binary_pattern

  r = section.radius
  padded = np.pad(images, ((0, 0), (r, r), (r, r)), mode="edge")
  # One by one: where an image is flat, rounded places of points decide, which images that are
  # stacked to one call have in other rows.
  codes = [local_binary_pattern(one, section.points, r, section.method) for one in padded]
  return np.stack(codes)[:, r:-r, r:-r].astype(np.int64)


def patterns_of(section: Any) -> int:
  """How many patterns are told apart: uniform ones, and one for all others."""
  points = section.points
  return points + 2 if section.method == "uniform" else points * (points - 1) + 3


def fits(size: int, section: Any) -> bool:
  """Whether every cell of images of `size` px has a pixel."""
  return size >= section.grid


def macs(size: int, channels: int, section: Any) -> int:
  """Multiply-adds of one image, by the rule of `features`: luma, interpolation, votes."""
  luma = 3 * size**2 if channels == 3 else 0
  return luma + 4 * section.points * size**2 + size**2
