"""The two sets that need no files of their own: scikit-learn's digits, and noise."""

import gzip
import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path

import numpy as np

from jaxnets.data import order
from jaxnets.data.records import Info, Stored, select
from jaxnets.errors import DataError

_DIGITS = "datasets/data/digits.csv.gz"
_DIGITS_TEST = 500
_DIGITS_SEED = 0x646967697473
_NOISE_COUNTS = {"train": 50000, "test": 10000}
_NOISE_CLASSES = 10
# Bytes between the starts of two noise images; a prime, so that channels and rows do not line up.
_NOISE_STRIDE = 97


def digits_file() -> Path:
  """The file of the scikit-learn wheel; DataError when it is not installed."""
  # The file of the wheel is read without importing scikit-learn, which takes a second.
  spec = importlib.util.find_spec("sklearn")
  path = Path(spec.origin).parent / _DIGITS if spec and spec.origin else None
  if path and path.is_file():
    return path
  raise DataError(
    "data.name=digits reads the images that the scikit-learn wheel carries, which is not here\n"
    'pip install "jaxnets[data]"'
  )


def digits_info() -> Info:
  """1,797 handwritten digits of 8x8 px, 0..255 (Alpaydin and Kaynak 1998, UCI)."""
  digest = hashlib.sha256(digits_file().read_bytes()).hexdigest()[:12]
  classes = tuple(str(i) for i in range(10))
  counts = {"train": 1797 - _DIGITS_TEST, "test": _DIGITS_TEST}
  return Info("digits", classes, counts, "test", 8, 1, True, digest)


def digits(about: Info, split: str, rows: np.ndarray | None) -> Stored:
  """Rows of a split of the digits: 1,297 train, 500 test, the same share of every class."""
  del about
  images, labels = _digits()
  test = _stratified(labels, _DIGITS_TEST)
  role = test if split == "test" else np.setdiff1d(np.arange(len(labels)), test)
  return select(Stored(labels[role], images[role], None), rows)


@lru_cache(maxsize=1)
def _digits() -> tuple[np.ndarray, np.ndarray]:
  path = digits_file()
  try:
    text = gzip.decompress(path.read_bytes()).decode()
    table = np.array([line.split(",") for line in text.split()], np.float64)
    pixels, labels = table[:, :64].reshape(1797, 8, 8, 1), table[:, 64]
  except (OSError, EOFError, ValueError, IndexError) as error:
    raise DataError(
      f"data.name=digits: {path} is damaged ({error}); reinstall scikit-learn"
    ) from error
  # Counts of dark pixels in 4x4 blocks, 0..16.
  return np.rint(pixels * (255 / 16)).astype(np.uint8), labels.astype(np.int32)


def _stratified(labels: np.ndarray, size: int) -> np.ndarray:
  """`size` rows with every class in its share, sorted; largest remainders round up."""
  shuffled = order.permutation(_DIGITS_SEED, 0, len(labels))
  classes, counts = np.unique(labels, return_counts=True)
  share = counts * size / len(labels)
  take = np.floor(share).astype(int)
  take[np.argsort(take - share, kind="stable")[: size - take.sum()]] += 1
  rows = [shuffled[labels[shuffled] == c][:n] for c, n in zip(classes, take, strict=True)]
  return np.sort(np.concatenate(rows))


def synthetic_info() -> Info:
  """Noise in the shape of CIFAR-10, for measuring throughput; nothing can be learnt from it."""
  classes = tuple(str(i) for i in range(_NOISE_CLASSES))
  return Info("synthetic", classes, dict(_NOISE_COUNTS), "test", 32, 3, True, "noise-1")


def synthetic(about: Info, split: str, rows: np.ndarray | None) -> Stored:
  """Rows of a split of the noise, [n, image_size, image_size, 3]: windows on one buffer.

  The images are overlapping views, so that any size costs a few MB, whatever is touched.
  """
  # Of noise any windows will do; picking some by index would copy them, gigabytes at 224 px.
  count = _NOISE_COUNTS[split] if rows is None else len(rows)
  side = about.image_size
  size = side * side * 3
  epoch = list(_NOISE_COUNTS).index(split)
  need = (count - 1) * _NOISE_STRIDE + size
  noise = order.words(0, epoch, 0, -(-need // 8)).view(np.uint8)
  images = np.lib.stride_tricks.as_strided(
    noise, (count, side, side, 3), (_NOISE_STRIDE, side * 3, 3, 1), writeable=False
  )
  labels = (order.words(0, epoch, 1, count) % _NOISE_CLASSES).astype(np.int32)
  return Stored(labels, images, None)
