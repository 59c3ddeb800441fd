"""Published files -> arrays (MNIST's and CIFAR's formats) or image files (ImageNet's tars)."""

import gzip
import hashlib
import io
import pickle
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from jaxnets.data import originals
from jaxnets.errors import DataError


class Split(NamedTuple):
  """Images uint8 [n, h, w, c] with their labels uint8 [n] by feature name, in published order."""

  images: np.ndarray
  labels: dict[str, np.ndarray]


class Arrays(NamedTuple):
  """A whole set: its splits, and the class names by feature ({}: as TFDS has them)."""

  splits: dict[str, Split]
  names: dict[str, tuple[str, ...]]


CIFAR10_CLASSES = (
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
)
# The files in cifar-10-binary.tar.gz: every form of the set is proven against them.
CIFAR10_BIN = {
  "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
  "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
  "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
  "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
  "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
  "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
# Published md5 sums of the Python versions; checked before anything is unpickled.
_CIFAR10_PY = {
  "data_batch_1": "c99cafc152244af753f735de768cd75f",
  "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
  "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
  "data_batch_4": "634d18415352ddfa80567beed471001a",
  "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
  "test_batch": "40351d587109b95175f43aff81a1287e",
}
_CIFAR100_PY = {
  "train": "16019d7e3df5f24257cddd939b257f8d",
  "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
  "meta": "7973b15100ade9c7d40fb424638fde48",
}
_CIFAR100_BIN = ("train.bin", "test.bin", "coarse_label_names.txt", "fine_label_names.txt")
_CIFAR100_EACH = {"train": 500, "test": 100}  # images of a class
_STRIP = 500  # images in a WebP strip, one under the other


def idx(name: str, source: Path) -> Arrays:
  """MNIST or Fashion-MNIST from the four *-ubyte.gz files."""
  found = originals.all_found(name, source)
  if found is None:
    raise originals.missing(name, source)
  train_images, train_labels, test_images, test_labels = map(_idx_values, found)
  return Arrays(
    {
      "train": Split(train_images[..., None], {"label": train_labels}),
      "test": Split(test_images[..., None], {"label": test_labels}),
    },
    {},
  )


def _idx_values(path: Path) -> np.ndarray:
  """The uint8 array of an IDX file: 0, 0, 8 (uint8), rank, big-endian sizes, values."""
  data = gzip.decompress(path.read_bytes())
  sizes = np.frombuffer(data, ">u4", count=data[3], offset=4)
  return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def cifar10(source: Path) -> Arrays:
  """CIFAR-10 from any of its forms.

  In this order: cifar-10-binary.tar.gz, the unpacked .bin files, lossless WebP strips of 500
  images (train_000.webp ..., train_labels.txt with the digits of strip N in line N), and
  cifar-10-python.tar.gz or its files. Every form is turned into the binary batches and checked
  against their published content.
  """
  files = list(CIFAR10_BIN)
  if archive := originals.all_found("cifar10", source):
    batches, path = _members(archive[0], files), archive[0]
  elif path := originals.find("cifar10", files[0], source):
    batches = {f: _bytes(path.parent / f) for f in files}
  elif path := originals.find("cifar10", "train_000.webp", source):
    batches = _from_strips(path.parent)
  elif path := _python_form("cifar10", "cifar-10-python.tar.gz", "data_batch_1", source):
    tables = _unpickled(path, _CIFAR10_PY)
    batches = {f"{f}.bin": _rows(t["data"], t["labels"]) for f, t in tables.items()}
  else:
    forms = ("data_batch_1.bin ...", "train_000.webp ...", "cifar-10-python.tar.gz")
    raise originals.missing("cifar10", source, forms)
  for file, wanted in CIFAR10_BIN.items():
    originals.match(path.parent / file, hashlib.sha256(batches[file]).hexdigest(), wanted)
  train = b"".join(batches[f] for f in files[:-1])
  splits = {"train": _binary(train, ("label",)), "test": _binary(batches[files[-1]], ("label",))}
  return Arrays(splits, {"label": CIFAR10_CLASSES})


def cifar100(source: Path) -> Arrays:
  """CIFAR-100 from cifar-100-binary.tar.gz, its files, or the Python version."""
  if archive := originals.all_found("cifar100", source):
    files = _members(archive[0], _CIFAR100_BIN)
  elif path := originals.find("cifar100", "fine_label_names.txt", source):
    files = {f: _bytes(path.parent / f) for f in _CIFAR100_BIN}
  elif path := _python_form("cifar100", "cifar-100-python.tar.gz", "meta", source):
    tables = _unpickled(path, _CIFAR100_PY)
    files = {
      f"{s}.bin": _rows(t["data"], t["coarse_labels"], t["fine_labels"])
      for s, t in tables.items()
      if s != "meta"
    }
    for kind in ("coarse", "fine"):
      names = tables["meta"][f"{kind}_label_names"]
      files[f"{kind}_label_names.txt"] = "\n".join(names).encode()
  else:
    forms = ("train.bin, test.bin, *_label_names.txt", "cifar-100-python.tar.gz")
    raise originals.missing("cifar100", source, forms)
  features = ("coarse_label", "label")
  splits = {s: _binary(files[f"{s}.bin"], features) for s in ("train", "test")}
  # The unpacked files have no published checksums; their balance is as good as known.
  for split, each in _CIFAR100_EACH.items():
    counts = np.bincount(splits[split].labels["label"], minlength=100)
    if len(counts) != 100 or (counts != each).any():
      raise DataError(f"cifar100: {split}.bin in {source} has not {each} images of each class")
  names = {
    "coarse_label": tuple(files["coarse_label_names.txt"].decode().split()),
    "label": tuple(files["fine_label_names.txt"].decode().split()),
  }
  return Arrays(splits, names)


def _binary(data: bytes, features: tuple[str, ...]) -> Split:
  """CIFAR's binary format: per image its labels, then planes of red, green and blue."""
  width = len(features) + 3072
  if not data or len(data) % width:
    raise DataError(f"CIFAR batch of {len(data)} bytes, wanted a multiple of {width}")
  rows = np.frombuffer(data, np.uint8).reshape(-1, width)
  images = rows[:, len(features) :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  return Split(images, {f: rows[:, i] for i, f in enumerate(features)})


def _rows(pixels, *labels) -> bytes:
  """The bytes of a binary batch from planes uint8 [n, 3072] and lists of labels."""
  columns = [np.asarray(column, np.uint8)[:, None] for column in labels]
  return np.concatenate([*columns, pixels], axis=1).tobytes()


def _from_strips(folder: Path) -> dict[str, bytes]:
  from PIL import Image

  def split(stem: str, strips: int) -> bytes:
    lines = _bytes(folder / f"{stem}_labels.txt").decode().split()
    parts = []
    for i in range(strips):
      path = folder / f"{stem}_{i:03d}.webp"
      try:
        with Image.open(io.BytesIO(_bytes(path))) as strip:
          pixels = np.asarray(strip.convert("RGB")).reshape(_STRIP, 32, 32, 3)
        labels = [int(digit) for digit in lines[i]]
        parts.append(_rows(pixels.transpose(0, 3, 1, 2).reshape(_STRIP, 3072), labels))
      except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: no strip of {_STRIP} labelled images ({error})") from error
    return b"".join(parts)

  data = split("train", 100) + split("test", 20)
  size = len(data) // len(CIFAR10_BIN)
  return {f: data[i * size : (i + 1) * size] for i, f in enumerate(CIFAR10_BIN)}


def _python_form(name: str, archive: str, file: str, source: Path) -> Path | None:
  return originals.find(name, archive, source) or originals.find(name, file, source)


def _unpickled(path: Path, sums: dict[str, str]) -> dict[str, dict]:
  """The tables of the Python version, from its archive or from the folder of `path`."""
  if path.suffix == ".gz":
    files = _members(path, sums)
  else:
    files = {f: _bytes(path.parent / f) for f in sums}
  for file, wanted in sums.items():
    digest = hashlib.md5(files[file], usedforsecurity=False).hexdigest()
    originals.match(path.parent / file, digest, wanted)
  return {f: unpickle(data, f"{path} ({f})") for f, data in files.items()}


def unpickle(data: bytes, where: str) -> dict:
  """A pickle of numpy arrays, lists and strings; anything else in it is refused.

  Raises:
    DataError: it asks for code that such a table does not need.
  """
  # The three names that a pickled array asks for; Python 2 wrote the first as numpy.core.
  array, dtype = np.ndarray, np.dtype
  allowed = {("numpy", "ndarray"): array, ("numpy", "dtype"): dtype}
  for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    allowed[module, "_reconstruct"] = np.empty(0).__reduce__()[0]

  class Tables(pickle.Unpickler):
    def find_class(self, module_name, global_name):
      if (module_name, global_name) not in allowed:
        raise DataError(
          f"{where}: refused to unpickle {module_name}.{global_name}\nuse the binary version"
        )
      return allowed[module_name, global_name]

  try:
    return Tables(io.BytesIO(data), encoding="latin1").load()
  except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError) as error:
    raise DataError(f"{where}: damaged ({error})\nuse the binary version") from error


def _members(archive: Path, files) -> dict[str, bytes]:
  """Files of a tar by their last name, read as streams: nothing is laid on the disk."""
  found = {}
  try:
    with tarfile.open(archive) as tar:
      for member in tar:
        if member.isfile() and (name := Path(member.name).name) in files:
          found[name] = _stream(tar, member)
  except (tarfile.TarError, EOFError, OSError) as error:
    raise DataError(f"{archive}: damaged ({error})\nfetch it again") from error
  if lacking := [f for f in files if f not in found]:
    raise DataError(f"{archive}: {lacking[0]} is not in it")
  return found


def imagenet_train(archive: Path) -> Iterator[tuple[str, bytes, str]]:
  """(file name, encoded image, WordNet id) of the tar of 1,000 class tars."""
  with archive.open("rb") as outer:
    for tar_name, data in _files(archive, outer):
      for file, image in _files(archive, io.BytesIO(data)):
        yield file, image, Path(tar_name).stem


def imagenet_validation(archive: Path, labels: list[str]) -> Iterator[tuple[str, bytes, str]]:
  """(file name, encoded image, WordNet id); labels are in the order of the sorted file names."""
  with tarfile.open(archive, "r:") as tar:
    files = sorted(m.name for m in tar if m.isfile())
  if len(files) != len(labels):
    raise DataError(f"{archive}: {len(files)} images, wanted {len(labels)}")
  label = dict(zip(files, labels, strict=True))
  with archive.open("rb") as opened:
    for file, image in _files(archive, opened):
      yield file, image, label[file]


def _files(archive: Path, opened: IO[bytes]) -> Iterator[tuple[str, bytes]]:
  """(name, content) of the files of a tar; `archive` names it in errors."""
  try:
    with tarfile.open(fileobj=opened, mode="r:") as tar:
      for member in tar:
        if member.isfile():
          yield member.name, _stream(tar, member)
  except (tarfile.TarError, EOFError, OSError) as error:
    raise DataError(f"{archive}: damaged ({error})\nfetch it again") from error


def _stream(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
  stream = tar.extractfile(member)
  assert stream is not None  # regular files only
  return stream.read()


def _bytes(path: Path) -> bytes:
  try:
    return path.read_bytes()
  except OSError as error:
    raise DataError(f"cannot read {path}: {error.strerror}") from error
