"""Published files -> a TFDS directory, all of it or nothing."""

import contextlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jaxnets.data import builders, originals, prepared
from jaxnets.data.sources import NAMES, data_directory
from jaxnets.errors import ConfigError, DataError, did_you_mean

EMBEDDED = ("digits", "synthetic")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def prepare(
  name: str, *, data_dir: str | Path | None = None, source: str | Path | None = None
) -> tuple[Path, bool]:
  """Prepares set `name` below `data_dir`; (its directory, whether anything was done).

  Two preparations of a set wait for each other. One that fails or is killed leaves no part of a
  set; what a killed one leaves in hidden directories the next one removes.

  Args:
    name: of `originals.ARCHIVES`, or a new name for a folder of class folders.
    data_dir: see `data_directory`.
    source: directory of the published files, or of class folders; None downloads the files.
  Raises:
    ConfigError: a name that cannot be prepared.
    DataError: files that are not there, truncated or others; a damaged set in the place.
  """
  _check_name(name, source)
  directory = data_directory(data_dir)
  with _writing(directory, name):
    if (path := prepared.find(name, directory)) is not None:
      # What is there may be another's, or another format: it is judged, never replaced.
      prepared.info(name, path)
      return path, False
    if source is None:
      found = originals.downloaded(name, directory / "downloads" / name)
    else:
      found = Path(source).expanduser()
      if not found.is_dir():
        raise DataError(f"--from={source} is no directory")
    builder, counts = builders.builder(name, found)
    return _built(name, builder, counts, directory), True


def _check_name(name: str, source) -> None:
  if name in EMBEDDED:
    raise ConfigError(f"{name} needs no preparation: --config.data.name={name}")
  if name in originals.ARCHIVES:
    return
  if not _NAME.fullmatch(name):
    raise ConfigError(f'a set is named in lower case, as "flowers_5"; got "{name}"')
  if source is None:
    raise ConfigError(
      f'no published files are known for "{name}".{did_you_mean(name, NAMES)}\n'
      f"a folder of class folders: python launch.py data prepare {name} --from=DIR"
    )


@contextlib.contextmanager
def _writing(directory: Path, name: str) -> Iterator[None]:
  """One preparation of a set at a time; removes what killed ones left."""
  import fcntl

  try:
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / f".{name}.lock").open("w")
  except OSError as error:
    raise DataError(f"cannot write to {directory}: {error.strerror}\ngive --data_dir") from error
  with lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    for left in directory.glob(f".{name}.tmp-*"):
      shutil.rmtree(left, ignore_errors=True)
    yield


def _built(name: str, builder, counts: dict[str, int], directory: Path) -> Path:
  import tensorflow_datasets as tfds

  tfds.disable_progress_bar()
  final = directory / name / str(builder.VERSION)
  if final.exists():
    raise DataError(f"{final} is there without being a prepared set\nremove it, or give --data_dir")
  work = Path(tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=directory))
  try:
    # TFDS prints the temporary directory.
    with contextlib.redirect_stdout(io.StringIO()):
      made = builder(data_dir=str(work), file_format="array_record")
      made.download_and_prepare(download_dir=str(work / "downloads"))
    path = Path(made.data_dir)
    _forget_module(path)
    about = prepared.info(name, path)
    if about.counts != counts:
      raise DataError(f"{name}: prepared {about.counts} images, wanted {counts}")
    final.parent.mkdir(exist_ok=True)
    os.replace(path, final)
    return final
  except OSError as error:
    raise DataError(f"{name}: cannot prepare in {directory}: {error}") from error
  finally:
    shutil.rmtree(work, ignore_errors=True)


def _forget_module(path: Path) -> None:
  # TFDS notes the module that defined the builder; that must not be looked for when reading.
  file = path / "dataset_info.json"
  about = json.loads(file.read_text())
  about.pop("moduleName", None)
  file.write_text(json.dumps(about, indent=2))
