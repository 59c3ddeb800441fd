"""A split as one array of images of one size."""

import numpy as np

from jaxnets import data
from jaxnets.config import Config
from jaxnets.data.batches import eval_batches
from jaxnets.data.records import Source

_LUMA = np.array([299, 587, 114])  # thousandths, ITU-R BT.601
_BATCH = 256


def load(config: Config, split: str, data_dir: str | None) -> Source:
  """The images of a role: those that a ConvNet with the same section data gets."""
  section = config.data
  return data.load(
    section.name,
    split,
    data_dir=data_dir,
    validation=section.validation,
    image_size=section.image_size,
  )


def pixels(source: Source, size: int) -> np.ndarray:
  """The images of a split, resampled to one size, uint8 [n, size, size, c].

  Streamed images (photos) are scaled so that the short side is `size` and cut at the centre.
  """
  if source.images is not None:
    return resized(source.images, size)
  batches = eval_batches(source, batch=_BATCH, image_size=size, short_side=size)
  return np.concatenate([batch["image"][batch["mask"]] for batch in batches])


def resized(images: np.ndarray, size: int) -> np.ndarray:
  """Images uint8 [n, h, w, c] -> [n, size, size, c], bilinear, antialiased, rounded to uint8.

  The weights are those of a ConvNet's images on the device (`jax.image.resize`, "linear"), which
  are not rounded.
  """
  _, height, width, _ = images.shape
  if height == width == size:
    return images
  rows, columns = _weights(height, size), _weights(width, size)
  out = np.empty((len(images), size, size, images.shape[3]), np.uint8)
  for start in range(0, len(images), _BATCH):
    part = images[start : start + _BATCH].astype(np.float32)
    part = np.einsum("yh,nhwc->nywc", rows, part, optimize=True)
    part = np.einsum("xw,nywc->nyxc", columns, part, optimize=True)
    out[start : start + _BATCH] = np.rint(part)
  return out


def grey(images: np.ndarray) -> np.ndarray:
  """The luma of images uint8 [n, h, w, c], rounded, uint8 [n, h, w]; grey images as they are."""
  if images.shape[3] != 3:
    return images[..., 0]
  return ((images.astype(np.int32) @ _LUMA + 500) // 1000).astype(np.uint8)


def cells(length: int, grid: int) -> np.ndarray:
  """The cell of each of `length` pixels along one side, int64 [length], each of [0, grid)."""
  return np.arange(length) * grid // length


def histograms(codes: np.ndarray, bins: int, grid: int) -> np.ndarray:
  """Shares of each code in each cell of a grid, float32 [n, grid * grid * bins].

  Args:
    codes: integers [n, h, w] in [0, bins).
    bins: number of codes.
    grid: cells along each side.
  """
  count, height, width = codes.shape
  place = cells(height, grid)[:, None] * grid + cells(width, grid)
  index = (np.arange(count)[:, None, None] * grid**2 + place) * bins + codes
  sums = np.bincount(index.ravel(), minlength=count * grid**2 * bins)
  pixels_of = np.bincount(place.ravel(), minlength=grid**2)
  shares = sums.reshape(count, grid**2, bins) / pixels_of[:, None]
  return shares.reshape(count, -1).astype(np.float32)


def _weights(old: int, new: int) -> np.ndarray:
  """What each new pixel takes of each old one, float32 [new, old]: a triangle, rows sum to 1."""
  step = old / new
  places = (np.arange(new) + 0.5) * step - 0.5
  distance = np.abs(places[:, None] - np.arange(old)) / max(step, 1)
  weights = np.maximum(0, 1 - distance)
  return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
