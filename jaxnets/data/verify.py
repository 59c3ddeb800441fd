"""Reading all of a set, to know that it can be read."""

from pathlib import Path

import numpy as np

from jaxnets.data import decode
from jaxnets.data.records import Info, Stored
from jaxnets.data.sources import kind
from jaxnets.errors import DataError


def verify(name: str, data_dir: str | Path | None = None) -> dict[str, int]:
  """Decodes every image of every stored split; the number of images in each.

  Raises:
    DataError: the first image that cannot be decoded, label out of range or wrong count.
  """
  get_info, get_stored = kind(name, data_dir)
  about = get_info()
  return {split: _verified(about, split, get_stored(about, split, None)) for split in about.counts}


def _verified(about: Info, split: str, stored: Stored) -> int:
  where = f"data.name={about.name}, {split}"
  count = len(stored.labels)
  if count != about.counts[split]:
    raise DataError(f"{where}: {count} images, wanted {about.counts[split]}")
  # A split in no role may be without labels, as the test images of ILSVRC 2012 are.
  least = 0 if split in ("train", about.test_split) else -1
  wrong = np.flatnonzero((stored.labels < least) | (stored.labels >= len(about.classes)))
  if wrong.size:
    raise DataError(
      f"{where}: image {wrong[0]} has label {stored.labels[wrong[0]]}, "
      f"wanted {least} to {len(about.classes) - 1}"
    )
  if stored.records is not None:
    for i in range(count):
      encoded, file = stored.records(i)
      decode.pixels(encoded, about.channels, f"{about.name} {split} image {i} ({file})")
  return count
