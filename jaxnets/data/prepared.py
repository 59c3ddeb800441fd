"""Prepared TensorFlow Datasets directories (ArrayRecord), read without TensorFlow.

Layout: DATA_DIR/NAME[/CONFIG]/VERSION/{dataset_info.json, features.json, shards}. The metadata is
read as JSON, so that `info` needs no import; images come through `tfds`' data source, undecoded.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.data import decode
from jaxnets.data.folders import test_split
from jaxnets.data.records import MEMORY_BYTES, VARIED_SIZE, Info, Stored, select
from jaxnets.errors import DataError

_VARIED = (-1, -1, 3)
_METADATA = "dataset_info.json"
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_NAME = re.compile(r"(\w[\w.-]*(?:/\w[\w.+-]*)?)(?::(\d+\.\d+\.\d+))?")
# Records read at once: as many as keep the reader's threads busy and the bytes small.
_CHUNK = 1000


class _Metadata(NamedTuple):
  splits: dict[str, int]  # images
  shards: tuple[tuple[str, int], ...]  # (file, bytes)
  shape: tuple[int, int, int]  # -1: varies
  classes: tuple[str, ...]
  digest: str


def find(name: str, directory: Path) -> Path | None:
  """The newest prepared version of "NAME", "NAME/CONFIG" or "NAME:VERSION", or None."""
  match = _NAME.fullmatch(name)
  if not match:
    return None
  root, version = directory / match[1], match[2]
  if version:
    return root / version if (root / version / _METADATA).is_file() else None
  versions = [
    p.name for p in root.glob("*") if _VERSION.fullmatch(p.name) and (p / _METADATA).is_file()
  ]
  return root / max(versions, key=_version_key) if versions else None


def present(directory: Path) -> tuple[str, ...]:
  """The names prepared in `directory`."""
  found = [
    str(path.parent.parent.relative_to(directory))
    for pattern in ("[!.]*/*/" + _METADATA, "[!.]*/*/*/" + _METADATA)
    for path in directory.glob(pattern)
    if _VERSION.fullmatch(path.parent.name)
  ]
  return tuple(sorted(set(found)))


def info(name: str, path: Path) -> Info:
  """What the metadata says.

  Raises:
    DataError: a shard is missing or empty, another record format, or no image and label.
  """
  about = _metadata(name, path)
  height, width, channels = about.shape
  largest = max(about.splits.values(), default=0) * height * width * channels
  fixed = height == width > 0
  counts = {split: n for split, n in about.splits.items() if n}
  # The published test images of ILSVRC 2012 have no labels: papers report on validation.
  if re.match(r"imagenet2012\b", name):
    test = test_split({k: n for k, n in counts.items() if k != "test"})
  else:
    test = test_split(counts)
  return Info(
    name=name,
    classes=about.classes,
    counts=counts,
    test_split=test,
    image_size=height if fixed else VARIED_SIZE,
    channels=channels,
    in_memory=fixed and largest <= MEMORY_BYTES,
    fingerprint=about.digest[:12],
  )


def stored(path: Path, about: Info, split: str, rows: np.ndarray | None) -> Stored:
  """Rows of a stored split: decoded into one array, or records of encoded bytes."""
  if about.in_memory:
    return _in_memory(about, path, split, np.arange(about.counts[split]) if rows is None else rows)
  source = _data_source(path, split)
  labels = _labels(about, path, split, source)
  return select(Stored(labels, None, partial(_record, source, path, split)), rows)


def _in_memory(about: Info, path: Path, split: str, rows: np.ndarray) -> Stored:
  """Decodes these rows only, in chunks: single records cost several times as much."""
  source, side = _data_source(path, split), _metadata(about.name, path).shape[0]
  images = np.empty((len(rows), side, side, about.channels), np.uint8)
  labels = np.empty(len(rows), np.int32)
  for start in range(0, len(rows), _CHUNK):
    chunk = rows[start : start + _CHUNK].tolist()
    for i, (row, record) in enumerate(zip(chunk, _read(source, chunk, path), strict=True), start):
      where = f"{about.name} {split} image {row} (in {path})"
      image = decode.pixels(record["image"], about.channels, where)
      if image.shape != images.shape[1:]:
        raise DataError(f"{where}: shape {image.shape}, wanted {images.shape[1:]}")
      images[i], labels[i] = image, record["label"]
  return Stored(labels, images, None)


def _record(source, path: Path, split: str, index: int) -> tuple[bytes, str]:
  return _read(source, [index], path)[0]["image"], f"record {index} of {split}"


def _labels(about: Info, path: Path, split: str, source) -> np.ndarray:
  """Labels of a streamed split: found once by reading all of it, then kept beside the records."""
  kept = path / f"labels-{split}-{about.fingerprint}.npy"
  with contextlib.suppress(OSError, ValueError):
    labels = np.load(kept, allow_pickle=False)
    if labels.shape == (about.counts[split],) and labels.dtype == np.int32:
      return labels
  chunks = [range(i, min(i + _CHUNK, len(source))) for i in range(0, len(source), _CHUNK)]
  found = [record["label"] for chunk in chunks for record in _read(source, list(chunk), path)]
  labels = np.array(found, np.int32)
  # A directory that we may only read costs the same search next time, no more.
  with contextlib.suppress(OSError):
    _write(kept, labels)
  return labels


def _write(path: Path, labels: np.ndarray) -> None:
  handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".labels-")
  with os.fdopen(handle, "wb") as file:
    np.save(file, labels)
  os.replace(temporary, path)


def _data_source(path: Path, split: str):
  """Random access to {"image": encoded bytes, "label": int}."""
  import tensorflow_datasets as tfds

  decoders = {"image": tfds.decode.SkipDecoding()}
  # By directory, not by name: the files say all, and nothing is ever downloaded.
  builder: Any = tfds.builder_from_directory(path)
  return builder.as_data_source(split, decoders=decoders)


def _read(source, rows: list[int], path: Path) -> list[dict]:
  try:
    return source.__getitems__(rows)
  except Exception as error:  # array_record and protobuf have no error class of their own
    raise DataError(
      f"{path}: records {rows[0]} to {rows[-1]} cannot be read ({error})\n"
      "remove the directory and prepare the set again"
    ) from error


def _metadata(name: str, path: Path) -> _Metadata:
  try:
    return _parsed(name, path)
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise DataError(
      f"data.name={name}: the metadata in {path} is damaged ({type(error).__name__}: {error})\n"
      "remove the directory and prepare the set again"
    ) from error


def _parsed(name: str, path: Path) -> _Metadata:
  text = (path / _METADATA).read_text()
  about = json.loads(text)
  if (kind := about.get("fileFormat", "tfrecord")) != "array_record":
    raise DataError(
      f"data.name={name}: {path} holds {kind}, wanted array_record\n"
      f"python launch.py data prepare {name} --data_dir=ANOTHER_DIR, or convert it with TFDS"
    )
  features = json.loads((path / "features.json").read_text())["featuresDict"]["features"]
  if not ("image" in features.get("image", {}) and "classLabel" in features.get("label", {})):
    raise DataError(
      f"data.name={name}: its features are {', '.join(sorted(features))}, wanted image and label"
    )
  height, width, channels = features["image"]["image"].get("shape", {}).get("dimensions", _VARIED)
  names = path / "label.labels.txt"
  number = int(features["label"]["classLabel"]["numClasses"])
  classes = names.read_text().split("\n") if names.is_file() else map(str, range(number))
  lengths = {s["name"]: [int(n) for n in s.get("shardLengths", ())] for s in about["splits"]}
  files = [
    f"{about['name']}-{split}.array_record-{i:05d}-of-{len(n):05d}"
    for split, n in lengths.items()
    for i in range(len(n))
  ]
  shards = tuple((f, (path / f).stat().st_size if (path / f).is_file() else 0) for f in files)
  if missing := [f for f, size in shards if not size]:
    raise DataError(
      f"data.name={name}: {missing[0]} is missing or empty in {path}\n"
      "remove the directory and prepare the set again"
    )
  return _Metadata(
    splits={split: sum(n) for split, n in lengths.items()},
    shards=shards,
    shape=(int(height), int(width), int(channels)),
    classes=tuple(c for c in classes if c),
    digest=hashlib.sha256((text + repr(shards)).encode()).hexdigest(),
  )


def _version_key(version: str) -> tuple[int, ...]:
  return tuple(int(n) for n in version.split("."))
