"""Which rectangle of a photo a net sees: geometry only, in the pixels of the stored image.

A box is (left, upper, right, lower), real numbers; the decoder resamples it to a square in one
step, so "resize the short side, then crop" never makes the pixels that the crop throws away.
"""

import math
from typing import NamedTuple

import numpy as np

from jaxnets.errors import ConfigError, did_you_mean

Box = tuple[float, float, float, float]

KINDS = ("random_resized", "scale_jitter", "fixed")
_ATTEMPTS = 10


class Crop(NamedTuple):
  """How a training crop is drawn; what a kind does not read, it ignores.

  random_resized: area share U[area], log aspect U[log aspect] (GoogLeNet section 6).
  scale_jitter: short side U[short_side], then a random crop (VGG section 3.1, ResNet section 3.4).
  fixed: short side short_side[0], its central square, then a random crop (AlexNet section 4.1).
  """

  kind: str = "random_resized"
  area: tuple[float, float] = (0.08, 1.0)
  aspect: tuple[float, float] = (3 / 4, 4 / 3)
  short_side: tuple[float, ...] = ()  # px; () = 256..480 (jitter) or 256 (fixed) for nets of 224


def checked(crop: Crop | str, image_size: int) -> Crop:
  """`crop` with its defaults filled for `image_size`; a bare kind takes all defaults.

  Raises:
    ConfigError: unknown kind, or ranges that are empty or leave no room for the crop.
  """
  crop = Crop(crop) if isinstance(crop, str) else crop
  if crop.kind not in KINDS:
    raise ConfigError(
      f'crop must be one of {", ".join(KINDS)}, got "{crop.kind}".' + did_you_mean(crop.kind, KINDS)
    )
  low, high = crop.area
  if not 0 < low <= high <= 1:
    raise ConfigError(f"crop area must be 0 < low <= high <= 1, got {crop.area}")
  if not 0 < crop.aspect[0] <= crop.aspect[1]:
    raise ConfigError(f"crop aspect must be 0 < low <= high, got {crop.aspect}")
  if not crop.short_side:
    default = (256, 480) if crop.kind == "scale_jitter" else (256, 256)
    crop = crop._replace(short_side=tuple(image_size * side / 224 for side in default))
  if crop.kind != "random_resized" and not image_size <= crop.short_side[0] <= crop.short_side[-1]:
    raise ConfigError(
      f"crop short_side must rise and be at least image_size (={image_size}), got {crop.short_side}"
    )
  return crop


def train_box(crop: Crop, words: np.ndarray, width: int, height: int, size: int) -> Box:
  """A training box for an image of width x height, drawn with `words`.

  Args:
    crop: as `checked` returns it.
    words: uint64 [DRAWS], random.
    width: of the stored image, px.
    height: of the stored image, px.
    size: side of the net's input, px.
  """
  draws = (words >> np.uint64(11)) * 2.0**-53  # [0, 1), every one a multiple of 2^-53
  if crop.kind == "random_resized":
    return _random_resized(crop, draws, width, height)
  low, high = crop.short_side[0], crop.short_side[-1]
  if crop.kind == "fixed":
    return _fixed(low, draws, width, height, size)
  return _scale_jitter(low + draws[0] * (high - low), draws, width, height, size)


DRAWS = 2 * _ATTEMPTS + 2


def centre_box(short_side: float, width: int, height: int, size: int) -> Box:
  """The central size x size of the image resized to `short_side`."""
  side = size * min(width, height) / short_side
  return _placed(side, side, 0.5, 0.5, width, height)


def _random_resized(crop: Crop, draws: np.ndarray, width: int, height: int) -> Box:
  """The first of ten draws that fits, else the largest central box of an allowed aspect."""
  low, high = crop.area
  logs = math.log(crop.aspect[0]), math.log(crop.aspect[1])
  for attempt in range(_ATTEMPTS):
    area = (low + draws[2 * attempt] * (high - low)) * width * height
    aspect = math.exp(logs[0] + draws[2 * attempt + 1] * (logs[1] - logs[0]))
    w, h = math.sqrt(area * aspect), math.sqrt(area / aspect)
    if w <= width and h <= height:
      return _placed(w, h, draws[-2], draws[-1], width, height)
  aspect = min(max(width / height, crop.aspect[0]), crop.aspect[1])
  w, h = min(width, height * aspect), min(height, width / aspect)
  return _placed(w, h, 0.5, 0.5, width, height)


def _scale_jitter(short: float, draws: np.ndarray, width: int, height: int, size: int) -> Box:
  side = size * min(width, height) / short
  return _placed(side, side, draws[-2], draws[-1], width, height)


def _fixed(short: float, draws: np.ndarray, width: int, height: int, size: int) -> Box:
  square = min(width, height)
  left, upper = (width - square) / 2, (height - square) / 2
  side = size * square / short
  box = _placed(side, side, draws[-2], draws[-1], square, square)
  return left + box[0], upper + box[1], left + box[2], upper + box[3]


def _placed(w: float, h: float, across: float, down: float, width: int, height: int) -> Box:
  """A w x h box at the shares (across, down) of the free room."""
  # A box as large as the image may come out a rounding error larger.
  w, h = min(w, width), min(h, height)
  left, upper = float(across) * (width - w), float(down) * (height - h)
  return left, upper, min(left + w, width), min(upper + h, height)
