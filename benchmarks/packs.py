"""A prepared set in a few compressed files, for a machine that cannot read the set itself.

A file holds a run of the images of each role: `train_images` coded, `train_labels` and so on, with
what is known of the set. numpy alone reads it.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.records import say
from jaxnets.errors import ConfigError, DataError

ROLES = ("train", "validation", "test")
VALIDATION = 0.1  # of the stored training images: 45,000 and 5,000 of CIFAR-10's
FILE_BYTES = 60 * 2**20


class Split(NamedTuple):
  """The images of one role."""

  images: np.ndarray  # uint8 [n, h, w, c]
  labels: np.ndarray  # int32 [n]


class Set(NamedTuple):
  """A set in memory."""

  name: str
  classes: int
  splits: dict[str, Split]
  sha256: str  # of all images and labels, 12 hexadecimal digits


def gather(name: str, classes: int, splits: dict[str, Split]) -> Set:
  """The set of these splits, with its hash."""
  sums = hashlib.sha256()
  for role in ROLES:
    for array in splits[role]:
      sums.update(f"{role} {array.dtype} {array.shape}".encode() + array.tobytes())
  return Set(name, classes, splits, sums.hexdigest()[:12])


def pack(name: str, data_dir: str | None, out: Path) -> int:
  """Writes set `name` to out/NAME-I-of-N.npz, files below 60 MiB."""
  from jaxnets import data

  info = data.info(name, data_dir)
  splits = {}
  for role in ROLES:
    source = data.load(name, role, data_dir=data_dir, validation=VALIDATION)
    if source.images is None:
      raise ConfigError(f"{name} is too large to lie in memory: it cannot be packed")
    splits[role] = Split(source.images, source.labels)
  for path in write(gather(name, len(info.classes), splits), out):
    say(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
  return 0


def write(whole: Set, out: Path, file_bytes: int = FILE_BYTES) -> list[Path]:
  """The files of the set, as few as stay below `file_bytes` each."""
  out.mkdir(parents=True, exist_ok=True)
  facts = {"name": whole.name, "classes": whole.classes, "sha256": whole.sha256}
  count = 1
  while True:
    paths = [out / f"{whole.name}-{i + 1}-of-{count}.npz" for i in range(count)]
    for i, path in enumerate(paths):
      arrays = {}
      for role, split in whole.splits.items():
        arrays[f"{role}_images"] = encode(np.array_split(split.images, count)[i])
        arrays[f"{role}_labels"] = np.array_split(split.labels, count)[i]
      np.savez_compressed(path, part=i, parts=count, **facts, **arrays)
      if path.stat().st_size >= file_bytes:
        break
    else:
      return paths
    for path in paths:
      path.unlink(missing_ok=True)
    count += 1


def read(place: Path) -> Set:
  """The set in a file, or in the files of a folder.

  Raises:
    DataError: there is none, a part is missing, or the images are not those that were packed.
  """
  paths = sorted(place.glob("*.npz")) if place.is_dir() else [place]
  if not paths or not paths[0].is_file():
    raise DataError(f"no packed set in {place}\nMake one: python benchmarks/gpu.py pack --out=DIR")
  files = sorted((_load(path) for path in paths), key=lambda f: int(f["part"]))
  wanted, found = int(files[0]["parts"]), [int(f["part"]) for f in files]
  if found != list(range(wanted)) or len({str(f["sha256"]) for f in files}) > 1:
    raise DataError(f"{place} holds parts {found} of {wanted}, or of several sets\nPack it again")
  splits = {
    role: Split(
      np.concatenate([decode(f[f"{role}_images"]) for f in files]),
      np.concatenate([f[f"{role}_labels"] for f in files]),
    )
    for role in ROLES
  }
  whole = gather(str(files[0]["name"]), int(files[0]["classes"]), splits)
  if whole.sha256 != str(files[0]["sha256"]):
    raise DataError(f"the images in {place} are not those that were packed\nPack them again")
  return whole


def synthetic(size: int = 8, classes: int = 10, seed: int = 0) -> Set:
  """A few random images, whose labels show as brightness."""
  draw = np.random.default_rng(seed)

  def split(count: int) -> Split:
    labels = draw.integers(0, classes, count, np.int32)
    noise = draw.integers(0, 100, (count, size, size, 3))
    return Split((noise + 15 * labels[:, None, None, None]).astype(np.uint8), labels)

  sizes = {"train": 64, "validation": 20, "test": 24}
  return gather("synthetic", classes, {role: split(count) for role, count in sizes.items()})


def encode(images: np.ndarray) -> np.ndarray:
  """Differences between colours, rows and columns, which compress to two thirds of the pixels.

  uint8 [n, h, w, c] -> uint8 [n, c, h, w]; all arithmetic is modulo 256.
  """
  planes = np.moveaxis(images, -1, 1).copy()
  if planes.shape[1] == 3:
    planes[:, ::2] -= planes[:, 1:2]
  planes[:, :, 1:] -= planes[:, :, :-1].copy()
  planes[..., 1:] -= planes[..., :-1].copy()
  return planes


def decode(planes: np.ndarray) -> np.ndarray:
  """The images of `encode`."""
  planes = np.cumsum(planes, axis=3, dtype=np.uint8)
  planes = np.cumsum(planes, axis=2, dtype=np.uint8)
  if planes.shape[1] == 3:
    planes[:, ::2] += planes[:, 1:2]
  return np.ascontiguousarray(np.moveaxis(planes, 1, -1))


def _load(path: Path) -> dict[str, np.ndarray]:
  try:
    with np.load(path, allow_pickle=False) as file:
      return dict(file)
  except (OSError, ValueError) as error:
    raise DataError(f"{path} cannot be read: {error}\nPack it again") from error
