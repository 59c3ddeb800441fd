"""Names -> features: a description of each image as a vector, float32 [n, d].

A feature describes an image by itself: what it learns, it learns from training images, before.

How multiply-adds are counted, for an image: every term of a sum is one, whether it has a factor or
not: differences of pixels, interpolation, votes into histograms, projections, distances, sums of
squares. Look-ups, comparisons and functions of single numbers are not counted, as they are not in a
ConvNet's MACs. It is the algorithm that is counted, as written in its module.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from jaxnets.classical import colour, gist, hog, lbp, patches, sift
from jaxnets.classical.config import parts_of
from jaxnets.config import Config
from jaxnets.errors import ConfigError

_CHUNK = 256  # images that a thread describes at a time

# (images uint8 [n, h, w, c], section of the config, seed) -> what is learned
Fit = Callable[[np.ndarray, Any, int], Any]


class Feature(NamedTuple):
  """A feature; its section of the config has its own name."""

  describe: Callable[..., np.ndarray]  # (images, section[, what was learned]) -> [n, d]
  fits: Callable[[int, Any], bool]  # (side of the images in px, section)
  macs: Callable[[int, int, Any], int | None]  # (side, channels, section), of one image
  fit: Fit | None = None
  learned: Callable[[Any], int] = lambda fitted: 0  # how many numbers


def _raw(images: np.ndarray, section: Any) -> np.ndarray:
  """The pixels themselves, 0..1."""
  del section
  return images.reshape(len(images), -1).astype(np.float32) / 255


FEATURES = {
  "raw": Feature(_raw, lambda size, section: True, lambda size, channels, section: 0),
  "hog": Feature(hog.describe, hog.fits, hog.macs),
  "lbp": Feature(lbp.describe, lbp.fits, lbp.macs),
  "gist": Feature(gist.describe, gist.fits, gist.macs),
  "sift": Feature(sift.describe, sift.fits, sift.macs, sift.fit, sift.learned),
  "colour": Feature(colour.describe, colour.fits, colour.macs),
  "kmeans": Feature(patches.describe, patches.fits, patches.macs, patches.fit, patches.learned),
}


def section_of(config: Config, part: str) -> Any:
  """The fields of a feature; raw pixels have none."""
  return config.get(part, {})


def check_size(config: Config) -> None:
  """Refuses features that images of data.image_size are too small for."""
  size = config.data.image_size
  for part in parts_of(config):
    section = section_of(config, part)
    if not FEATURES[part].fits(size, section):
      fields = ", ".join(f"{part}.{key}={value}" for key, value in section.items())
      raise ConfigError(
        f"images of {size} px are too small for {part} with {fields}\n"
        f"Use a larger data.image_size, or smaller fields of {part}"
      )


def fit(part: str, images: np.ndarray, config: Config) -> Any:
  """What a feature learns from training images uint8 [n, h, w, c]; None where it learns nothing."""
  own = FEATURES[part].fit
  return None if own is None else own(images, section_of(config, part), config.seed)


def describe(
  part: str, images: np.ndarray, config: Config, fitted: Any, jobs: int = 1
) -> np.ndarray:
  """Images uint8 [n, h, w, c] as vectors, float32 [n, d]; by `jobs` threads, with the same bits.

  Matrix products within them have one thread each: with as many as cores they wait for each other.
  """
  from threadpoolctl import threadpool_limits

  given = () if fitted is None else (fitted,)
  own, section = FEATURES[part].describe, section_of(config, part)
  chunks = [images[start : start + _CHUNK] for start in range(0, len(images), _CHUNK)]
  with threadpool_limits(1), ThreadPoolExecutor(jobs) as threads:
    return np.concatenate(list(threads.map(lambda chunk: own(chunk, section, *given), chunks)))


def macs(config: Config, channels: int) -> int | None:
  """Multiply-adds of the features of one image, see the rule above; None if they depend on it."""
  size = config.data.image_size
  found = [FEATURES[p].macs(size, channels, section_of(config, p)) for p in parts_of(config)]
  known = [number for number in found if number is not None]
  return sum(known) if len(known) == len(found) else None
