"""GIST: mean energies of Gabor filters on a grid (Oliva and Torralba, IJCV 2001).

The transfer functions are those of the authors' LMgist (createGabor): log-polar Gaussians around
frequencies 0.3 / 1.85^i of the sampling rate. Deviations: of the luma only, without the prefilter
of local contrast, and no filter answers to a constant image.
"""

import functools
import math
from typing import Any

import numpy as np

from jaxnets.classical.images import cells, grey

_HIGHEST, _APART = 0.3, 1.85  # cycles per px, and the ratio of neighbouring scales
_RADIAL = 10 * 0.35
_SIDES = 2  # the image is continued by its mirror, by 1 / _SIDES of its side in each direction
_CHUNK = 4  # images at a time: their spectra take 4 MB at 32 px


def describe(images: np.ndarray, section: Any) -> np.ndarray:
  """Mean absolute responses, float32 [n, scales * orientations * grid * grid].

  Args:
    images: uint8 [n, h, w, c].
    section: scales, orientations, grid.
  """
  parts = [_describe(images[i : i + _CHUNK], section) for i in range(0, len(images), _CHUNK)]
  return np.concatenate(parts)


@functools.cache
def filters(side: int, scales: int, orientations: int) -> np.ndarray:
  """Transfer functions of Gabor filters, [scales * orientations, side, side], 0 at frequency 0.

  Args:
    side: of the images, px.
    scales: from fine to coarse.
    orientations: of the frequency, j / orientations of 180 degrees from the row axis (x).
  """
  along = np.fft.fftfreq(side)
  frequency = np.hypot(along[:, None], along)
  angle = np.arctan2(along[:, None], along)
  found = []
  for i in range(scales):
    centre = _HIGHEST / _APART**i
    for j in range(orientations):
      turn = angle - math.pi * j / orientations
      turn = (turn + math.pi) % (2 * math.pi) - math.pi
      tangential = 16 * orientations**2 / 32**2
      found.append(
        np.exp(-_RADIAL * (frequency / centre - 1) ** 2 - 2 * tangential * math.pi * turn**2)
      )
  gabors = np.stack(found)
  gabors[:, 0, 0] = 0
  gabors.setflags(write=False)  # they are the next call's, too
  return gabors


def fits(size: int, section: Any) -> bool:
  """Whether every cell of images of `size` px has a pixel."""
  return size >= max(section.grid, _SIDES)


def macs(size: int, channels: int, section: Any) -> int:
  """Multiply-adds of one image, by the rule of `features`.

  A Fourier transform of m points counts as m / 2 log2(m) complex multiply-adds of four real ones,
  those of the radix-2 algorithm: an upper bound of what a library does.
  """
  count, points = section.scales * section.orientations, (size + 2 * (size // _SIDES)) ** 2
  luma = 3 * size**2 if channels == 3 else 0
  transforms = math.ceil((1 + count) * 2 * points * math.log2(points))
  return luma + transforms + count * size**2


def _describe(images: np.ndarray, section: Any) -> np.ndarray:
  light = grey(images).astype(np.float32) / 255
  count, height, width = light.shape
  margin = height // _SIDES
  padded = np.pad(light, ((0, 0), (margin, margin), (margin, margin)), mode="symmetric")
  gabors = filters(padded.shape[1], section.scales, section.orientations).astype(np.float32)
  spectra = np.fft.fft2(padded)[:, None] * gabors
  responses = np.abs(np.fft.ifft2(spectra))[:, :, margin : margin + height, margin : margin + width]
  pool = _pool(height, section.grid)
  pooled = np.einsum("gy,nfyx,hx->nfgh", pool, responses, pool, optimize=True)
  return pooled.reshape(count, -1).astype(np.float32)


def _pool(length: int, grid: int) -> np.ndarray:
  """The mean over the pixels of each cell along a side, [grid, length]."""
  inside = cells(length, grid) == np.arange(grid)[:, None]
  return (inside / inside.sum(axis=1, keepdims=True)).astype(np.float32)
