"""Folders of class folders of photos: PATH/train/CLASS/*.jpg and PATH/val|validation|test/..."""

import hashlib
import os
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.data.records import VARIED_SIZE, Info, Stored, select
from jaxnets.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# Folder name -> stored split.
_SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}


class Folder(NamedTuple):
  """The files of a folder set; an entry is (path below the root, label, bytes)."""

  classes: tuple[str, ...]
  splits: dict[str, tuple[tuple[str, int, int], ...]]


@lru_cache(maxsize=4)
def scan(root: Path) -> Folder:
  """Walks `root`, sorted by class and file name.

  With a `train` folder the splits are the folders; without one, `root` holds the class folders
  and all of them are "train".

  Raises:
    DataError: no such folder, no images, or classes that differ between splits.
  """
  if not root.is_dir():
    raise DataError(f"folder:{root} is no folder\ngive folder:PATH with class folders in it")
  parts = {split: root / d for d, split in _SPLITS.items() if (root / d).is_dir()}
  if "train" not in parts:
    parts = {"train": root}
  classes = _folders(parts["train"])
  if not classes:
    raise DataError(f"folder:{root}: no class folders in {parts['train']}")
  splits = {}
  for split, part in parts.items():
    if extra := sorted(set(_folders(part)) - set(classes)):
      raise DataError(f"folder:{root}: class {extra[0]} is in {part.name} but not in train")
    splits[split] = tuple(
      (os.path.join(os.path.relpath(part, root), name, file), label, size)
      for label, name in enumerate(classes)
      for file, size in _images(part / name)
    )
    if not splits[split]:
      raise DataError(f"folder:{root}: no images ({' '.join(SUFFIXES)}) in {part}")
  return Folder(classes, splits)


def info(name: str, root: Path) -> Info:
  """What is known from names and sizes of the files."""
  folder = scan(root)
  digest = hashlib.sha256(repr((folder.classes, sorted(folder.splits.items()))).encode())
  counts = {split: len(files) for split, files in folder.splits.items()}
  return Info(
    name, folder.classes, counts, test_split(counts), VARIED_SIZE, 3, False, digest.hexdigest()[:12]
  )


def test_split(counts: dict[str, int]) -> str:
  """The stored split in the test role: "test", else "validation", else a part of "train"."""
  return next((s for s in ("test", "validation") if counts.get(s)), "train")


def stored(root: Path, about: Info, split: str, rows: np.ndarray | None) -> Stored:
  """Rows of a stored split; records read the files."""
  del about
  files = scan(root).splits[split]
  labels = np.array([label for _, label, _ in files], np.int32)
  records = partial(_record, root, tuple(path for path, _, _ in files))
  return select(Stored(labels, None, records), rows)


def _record(root: Path, paths: tuple[str, ...], index: int) -> tuple[bytes, str]:
  try:
    return (root / paths[index]).read_bytes(), paths[index]
  except OSError as error:
    raise DataError(f"folder:{root}: cannot read {paths[index]}: {error.strerror}") from error


def _folders(path: Path) -> tuple[str, ...]:
  return tuple(
    sorted(e.name for e in os.scandir(path) if e.is_dir() and not e.name.startswith("."))
  )


def _images(path: Path) -> list[tuple[str, int]]:
  if not path.is_dir():
    return []
  return sorted(
    (e.name, e.stat().st_size)
    for e in os.scandir(path)
    if e.name.lower().endswith(SUFFIXES) and not e.name.startswith(".")
  )
