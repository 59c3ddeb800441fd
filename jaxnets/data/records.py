"""The records that pass between the modules of this room and leave it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# Decoded splits up to this size are held in one array.
MEMORY_BYTES = 2**30
# What nets get by default from images of varied sizes, px.
VARIED_SIZE = 224

# Picklable: index -> (encoded bytes, the file or record that they come from).
Records = Callable[[int], tuple[bytes, str]]


class Info(NamedTuple):
  """What is known of a set without decoding an image."""

  name: str
  classes: tuple[str, ...]
  counts: dict[str, int]  # images in each stored split
  test_split: str  # the stored split that plays the test role; "train": a fixed fifth of it does
  image_size: int  # side that nets get by default, px
  channels: int
  in_memory: bool  # decoded once into one array, or streamed
  fingerprint: str  # changes when the prepared files change


class Source(NamedTuple):
  """The images of one role, in memory or read one by one."""

  info: Info
  split: str  # "train" | "validation" | "test"
  labels: np.ndarray  # int32 [n]
  images: np.ndarray | None  # uint8 [n, h, w, c] when in memory
  records: Records | None  # when streamed


class Stored(NamedTuple):
  """Rows of a stored split: what each kind of set gives to `load`; fields as in `Source`."""

  labels: np.ndarray
  images: np.ndarray | None
  records: Records | None


# (info, stored split, its rows or None for all) -> those rows.
Load = Callable[[Info, str, "np.ndarray | None"], Stored]


def select(stored: Stored, rows: np.ndarray | None) -> Stored:
  """Some rows of a split, or all of it when rows is None."""
  if rows is None:
    return stored
  return Stored(
    stored.labels[rows],
    None if stored.images is None else stored.images[rows],
    None if stored.records is None else _Rows(stored.records, rows),
  )


class _Rows(NamedTuple):
  """Records of some rows; a record rather than a closure because it must pickle."""

  records: Records
  rows: np.ndarray

  def __call__(self, index: int) -> tuple[bytes, str]:
    return self.records(int(self.rows[index]))
