"""Names -> what is known about a set (`info`) and its images in a role (`load`)."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from jaxnets.data import embedded, folders, order, prepared
from jaxnets.data.records import Info, Load, Source
from jaxnets.errors import ConfigError, DataError, did_you_mean

# Known by name, with classes and channels. The first two need no preparation.
SHAPES = {
  "digits": (10, 1),
  "synthetic": (10, 3),
  "mnist": (10, 1),
  "fashion_mnist": (10, 1),
  "cifar10": (10, 3),
  "cifar100": (100, 3),
  "imagenet2012": (1000, 3),
}
NAMES = tuple(SHAPES)
FOLDER = "folder:"
# Seeds of the fixed carvings; part of the meaning of "validation" and "test", never to change.
_VALIDATION_SEED = 0x76616C6964
_TEST_SEED = 0x74657374
_TEST_SHARE = 0.2


def names() -> tuple[str, ...]:
  """The sets known by name; prepared sets of other names and `folder:PATH` work as well."""
  return NAMES


def data_directory(given: str | Path | None = None) -> Path:
  """Where prepared sets live: `given`, else $TFDS_DATA_DIR, else ~/tensorflow_datasets."""
  return Path(given or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def info(name: str, data_dir: str | Path | None = None) -> Info:
  """What is known of set `name`, from its metadata only.

  Raises:
    ConfigError: no such name.
    DataError: a known set that is not prepared, or one whose files are not whole.
  """
  return kind(name, data_dir)[0]()


def load(
  name: str,
  split: str,
  *,
  data_dir: str | Path | None = None,
  validation: float = 0.1,
  image_size: int | None = None,
) -> Source:
  """The images of set `name` in the role `split`.

  "validation" is carved out of stored train by a fixed permutation that depends on the number of
  images only, also where a stored `validation` split exists beside the test role: the seed of a
  run never moves an image between roles. "train" is the rest of stored train. "test" is
  `Info.test_split`; a set that stores train only gives a fixed fifth of it.

  Args:
    name: a name, a prepared set, or "folder:PATH".
    split: "train", "validation" or "test".
    data_dir: see `data_directory`.
    validation: share of stored train, in [0, 1).
    image_size: side in px recorded in `Source.info`: what streamed images are cut to. Images in
      memory keep their stored size (`augment.resize` changes it on the device).
  Raises:
    ConfigError: a value out of range, or an empty role.
    DataError: the set is not prepared, or damaged.
  """
  if split not in ("train", "validation", "test"):
    raise ConfigError(
      f'split must be "train", "validation" or "test", got "{split}".'
      + did_you_mean(split, ("train", "validation", "test"))
    )
  if not 0 <= validation < 1:
    raise ConfigError(f"data.validation must be in [0, 1), got {validation}")
  if image_size is not None and image_size < 1:
    raise ConfigError(f"data.image_size must be at least 1 px, got {image_size}")
  if split == "validation" and validation == 0:
    raise ConfigError(
      "data.validation=0 gives every train image to training: there is no validation split\n"
      'give data.validation=0.1, or evaluate on "test"'
    )
  get_info, get_stored = kind(name, data_dir)
  about = get_info()
  if image_size is not None:
    about = about._replace(image_size=image_size)
  stored_split = _stored_split(about, split)
  if stored_split != "train":
    return Source(about, split, *get_stored(about, stored_split, None))
  rows = _train_rows(about, split, validation)
  whole = len(rows) == about.counts["train"]
  return Source(about, split, *get_stored(about, "train", None if whole else rows))


def training_images(name: str, validation: float, data_dir: str | Path | None = None) -> int:
  """How many images `load` gives as "train", from the set's metadata only; raises as it does."""
  about = info(name, data_dir)
  _stored_split(about, "train")
  return len(_train_rows(about, "train", validation))


def _stored_split(about: Info, split: str) -> str:
  """The stored split that holds a role."""
  stored = about.test_split if split == "test" else "train"
  if stored not in about.counts:
    raise DataError(
      f'data.name={about.name} stores {", ".join(about.counts) or "nothing"}: nothing for "{split}"'
    )
  return stored


def _train_rows(about: Info, split: str, validation: float) -> np.ndarray:
  """The rows of stored train that play `split`; never none."""
  count = about.counts["train"]
  rows = _rows(split, count, validation, about.test_split == "train")
  if not len(rows):
    raise ConfigError(
      f"data.validation={validation} of {count} train images of {about.name} "
      f'leaves no image for "{split}"'
    )
  return rows


def _rows(split: str, count: int, validation: float, carve_test: bool) -> np.ndarray:
  """The rows of stored train that play `split`, sorted int64."""
  pool = np.arange(count)
  if carve_test:
    pool, test = _carve(pool, _TEST_SHARE, _TEST_SEED)
    if split == "test":
      return test
  train, held_out = _carve(pool, validation, _VALIDATION_SEED)
  return train if split == "train" else held_out


def _carve(pool: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
  """(the rest, round(share * n) of `pool`), both sorted; which ones depends on n only."""
  shuffled = pool[order.permutation(seed, 0, len(pool))]
  size = round(share * len(pool))
  return np.sort(shuffled[size:]), np.sort(shuffled[:size])


def location(name: str, data_dir: str | Path | None = None) -> Path | None:
  """The file or directory that holds a set, or None when there is none."""
  if name == "digits":
    return embedded.digits_file()
  if name == "synthetic":
    return None
  if name.startswith(FOLDER):
    return Path(name.removeprefix(FOLDER)).expanduser()
  return prepared.find(name, data_directory(data_dir))


def kind(name: str, data_dir) -> tuple[Callable[[], Info], Load]:
  """(how to get the info, how to load a stored split) of set `name`."""
  if name == "digits":
    return embedded.digits_info, embedded.digits
  if name == "synthetic":
    return embedded.synthetic_info, embedded.synthetic
  if name.startswith(FOLDER):
    root = Path(name.removeprefix(FOLDER)).expanduser()
    return partial(folders.info, name, root), partial(folders.stored, root)
  directory = data_directory(data_dir)
  path = prepared.find(name, directory)
  if path is None:
    raise _missing(name, directory, prepared.present(directory))
  return partial(prepared.info, name, path), partial(prepared.stored, path)


def _missing(name: str, directory: Path, present: tuple[str, ...]) -> Exception:
  if name in NAMES:
    return DataError(
      f"data.name={name} is not prepared in {directory}: name its folder by --data_dir, or run\n"
      f"python launch.py data prepare {name} --data_dir={directory}"
      " (--config.data.name=digits needs no preparation)"
    )
  choices = sorted({*NAMES, *present})
  return ConfigError(
    f'data.name must be one of {", ".join(choices)} or folder:PATH, got "{name}".'
    + did_you_mean(re.split("[:/]", name)[0], choices)
  )
