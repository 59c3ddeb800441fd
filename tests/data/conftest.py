"""Small sets made on the spot, and the real CIFAR-10 where it is at hand."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxnets.data import originals
from tests import real_data


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory) -> Path:
  return real_data.prepared_directory("cifar10", tmp_path_factory)


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
  """Class folders of JPEGs: 7 + 4 + 2 in train, 5 in val, all of different sizes."""
  root = tmp_path_factory.mktemp("photos")
  rng = np.random.default_rng(0)
  for part, count in (("train/a", 7), ("train/b", 4), ("train/c", 2), ("val/b", 5)):
    folder = root / part
    folder.mkdir(parents=True)
    for i in range(count):
      height, width = rng.integers(30, 90, 2)
      small = rng.integers(0, 256, (6, 6, 3), np.uint8)
      image = Image.fromarray(small).resize((int(width), int(height)))
      image.save(folder / f"{i}.jpg", quality=95)
  return root


def write_idx(path: Path, values: np.ndarray) -> str:
  """Writes an IDX file of uint8; its sha256."""
  head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
  path.write_bytes(gzip.compress(head + values.tobytes()))
  return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch) -> Path:
  """A folder in MNIST's format, 50 + 20 images, that passes for the published one."""
  folder = tmp_path / "published"
  folder.mkdir()
  rng = np.random.default_rng(1)
  archives = []
  for (archive, count), rank in zip(
    zip(originals.ARCHIVES["mnist"], (50, 50, 20, 20), strict=True), (3, 1, 3, 1), strict=True
  ):
    shape, top = ((count, 28, 28), 256) if rank == 3 else ((count,), 10)
    digest = write_idx(folder / archive.file, rng.integers(0, top, shape, np.uint8))
    archives.append(archive._replace(sha256=digest))
  monkeypatch.setitem(originals.ARCHIVES, "mnist", tuple(archives))
  return folder
