"""The files that the datasets' authors published: finding, fetching and checking them.

Checksums are those that TensorFlow Datasets registers for the archives, so what is prepared from
them is what everybody else trains on.
"""

import hashlib
import http.client
import os
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from jaxnets.errors import DataError


class Archive(NamedTuple):
  """A published file; an empty url: not to be had without registration."""

  file: str
  sha256: str
  url: str


_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
_CIFAR = "https://www.cs.toronto.edu/~kriz/"
_IDX = (
  "train-images-idx3-ubyte.gz",
  "train-labels-idx1-ubyte.gz",
  "t10k-images-idx3-ubyte.gz",
  "t10k-labels-idx1-ubyte.gz",
)


def _idx(site: str, digests: tuple[str, ...]) -> tuple[Archive, ...]:
  return tuple(Archive(f, d, site + f) for f, d in zip(_IDX, digests, strict=True))


ARCHIVES: dict[str, tuple[Archive, ...]] = {
  "mnist": _idx(
    _MNIST,
    (
      "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
      "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
      "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
      "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
  ),
  "fashion_mnist": _idx(
    _FASHION,
    (
      "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
      "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
      "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
      "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
  ),
  "cifar10": (
    Archive(
      "cifar-10-binary.tar.gz",
      "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
      _CIFAR + "cifar-10-binary.tar.gz",
    ),
  ),
  "cifar100": (
    Archive(
      "cifar-100-binary.tar.gz",
      "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
      _CIFAR + "cifar-100-binary.tar.gz",
    ),
  ),
  "imagenet2012": (
    Archive(
      "ILSVRC2012_img_train.tar",
      "b08200a27a8e34218a0e58fde36b0fe8f73bc377f4acea2d91602057c3ca45bb",
      "",
    ),
    Archive(
      "ILSVRC2012_img_val.tar",
      "c7e06a6c0baccf06d8dbeb6577d71efff84673a5dbdd50633ab44f8ea0456ae0",
      "",
    ),
  ),
}
_BLOCK = 2**20
_TIMEOUT_S = 60


def find(name: str, file: str, source: Path) -> Path | None:
  """A file of set `name`: in `source`, or in a folder right below it (NAME/ before others)."""
  below = [p for p in source.iterdir() if p.is_dir()] if source.is_dir() else []
  # Sets share file names: MNIST and Fashion-MNIST may lie side by side.
  folders = (source, *sorted(below, key=lambda p: (p.name != name, p.name)))
  return next((f / file for f in folders if (f / file).exists()), None)


def checked(path: Path, sha256: str) -> Path:
  """`path`, if its content is the published one.

  Raises:
    DataError: unreadable, truncated or another file.
  """
  match(path, _digest(path), sha256)
  return path


def match(path: Path, got: str, wanted: str) -> None:
  """Refuses a digest that is not the published one."""
  if got != wanted:
    raise DataError(
      f"{path}: the checksum is {got}, wanted {wanted}\n"
      "the file is truncated or another one: fetch it again"
    )


def all_found(name: str, source: Path) -> tuple[Path, ...] | None:
  """The checked archives of a set in `source`, or None when the first is not there."""
  archives = ARCHIVES[name]
  if find(name, archives[0].file, source) is None:
    return None
  return tuple(checked(_present(name, a, source), a.sha256) for a in archives)


def downloaded(name: str, directory: Path) -> Path:
  """`directory` with the archives of a set in it; fetches and checks those that are not there.

  Raises:
    DataError: no network, no such file any more, or another content.
  """
  directory.mkdir(parents=True, exist_ok=True)
  for archive in ARCHIVES[name]:
    if not (directory / archive.file).exists():
      _fetch(name, archive, directory)
  return directory


def missing(name: str, source: Path, forms: Iterable[str] = ()) -> DataError:
  """The error for a source that holds nothing of a set."""
  files = ", ".join(a.file for a in ARCHIVES[name])
  others = "".join(f", or {form}" for form in forms)
  return DataError(
    f"{name}: no published files in {source} or a folder right below it\nlay {files}{others} there"
  )


def _present(name: str, archive: Archive, source: Path) -> Path:
  path = find(name, archive.file, source)
  if path is None:
    raise missing(name, source)
  return path


def _fetch(name: str, archive: Archive, directory: Path) -> None:
  files = ", ".join(a.file for a in ARCHIVES[name])
  advice = f"lay {files} in a folder and give it as --from=DIR"
  if not archive.url:
    raise DataError(f"{name}: {archive.file} needs registration at its site; then\n{advice}")
  handle, temporary = tempfile.mkstemp(dir=directory, prefix=".download-")
  try:
    with os.fdopen(handle, "wb") as out:
      for block in _download(archive.url):
        out.write(block)
    match(directory / archive.file, _digest(Path(temporary)), archive.sha256)
    os.replace(temporary, directory / archive.file)
  except (OSError, http.client.HTTPException) as error:
    raise DataError(f"{name}: cannot fetch {archive.url} ({error})\n{advice}") from error
  finally:
    Path(temporary).unlink(missing_ok=True)


def _download(url: str) -> Iterator[bytes]:
  with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
    while block := answer.read(_BLOCK):
      yield block


def _digest(path: Path) -> str:
  try:
    with path.open("rb") as file:
      return hashlib.file_digest(file, "sha256").hexdigest()
  except OSError as error:
    raise DataError(f"cannot read {path}: {error.strerror}") from error
