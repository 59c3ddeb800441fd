"""TFDS builders that prepare without TensorFlow.

The registered builders read and encode through TensorFlow. Here they are subclassed under their
own names, so that version, features, keys and hence the stored order are theirs; only the reading
of the published files is ours. Encoded images pass through as bytes.
"""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

from jaxnets.data import archives, folders, originals
from jaxnets.errors import DataError

# Files of ILSVRC 2012 that are CMYK JPEGs, and a PNG by another name; TFDS makes RGB JPEGs of
# them from version 3.0.0 on. The list is read from its builder.
_FIXED = ("CMYK_IMAGES", "PNG_IMAGES")
_IMAGENET_COUNTS = {"train": 1281167, "validation": 50000}
# Of the validation images in the order of their names; in the TFDS package.
_IMAGENET_LABELS = "datasets/imagenet2012/validation_labels.txt"
Examples = Iterable[tuple[int | str, dict]]


def builder(name: str, source: Path):
  """(TFDS builder class, number of images that it must make by split).

  The published files are checked here, before anything is written.
  """
  import tensorflow_datasets as tfds

  if name in ("mnist", "fashion_mnist"):
    sets = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
    base = getattr(tfds.image_classification, sets[name])
    return _of_arrays(base, name, archives.idx(name, source))
  if name == "cifar10":
    return _of_arrays(tfds.image_classification.Cifar10, name, archives.cifar10(source), ids=True)
  if name == "cifar100":
    return _of_arrays(tfds.image_classification.Cifar100, name, archives.cifar100(source), ids=True)
  if name == "imagenet2012":
    return _imagenet(source)
  return _folder(name, source)


def _of_arrays(base, name: str, arrays: archives.Arrays, ids: bool = False):
  def examples(split: str) -> Examples:
    images, labels = arrays.splits[split]
    for i, image in enumerate(images):
      example = {"image": _png(image), **{f: int(column[i]) for f, column in labels.items()}}
      yield i, {**example, "id": f"{split}_{i:05d}"} if ids else example

  counts = {split: len(part.images) for split, part in arrays.splits.items()}
  return _subclass(base, name, {s: lambda s=s: examples(s) for s in counts}, arrays.names), counts


def _imagenet(source: Path):
  import tensorflow_datasets as tfds
  from tensorflow_datasets.datasets.imagenet2012 import imagenet2012_dataset_builder as registered

  found = originals.all_found("imagenet2012", source)
  if found is None:
    raise originals.missing("imagenet2012", source)
  train, validation = found
  labels = tfds.core.tfds_path(_IMAGENET_LABELS).read_text().split()
  fixed = {file for group in _FIXED for file in getattr(registered, group)}

  def examples(files) -> Examples:
    for file, image, label in files:
      encoded = _rgb_jpeg(image, file) if file in fixed else image
      yield file, {"file_name": file, "image": encoded, "label": label}

  splits = {
    "train": lambda: examples(archives.imagenet_train(train)),
    "validation": lambda: examples(archives.imagenet_validation(validation, labels)),
  }
  return _subclass(registered.Builder, "imagenet2012", splits, {}), _IMAGENET_COUNTS


def _folder(name: str, root: Path):
  """A set of class folders: image files as they are, with their file names."""
  import tensorflow_datasets as tfds

  folder = folders.scan(root)

  def examples(split: str) -> Examples:
    for path, label, _ in folder.splits[split]:
      yield path, {"image": (root / path).read_bytes(), "file_name": path, "label": label}

  suffixes = {Path(path).suffix.lower() for files in folder.splits.values() for path, _, _ in files}

  class Folder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
      return tfds.core.DatasetInfo(
        builder=self,
        description="Images in class folders.",
        features=tfds.features.FeaturesDict(
          {
            "image": tfds.features.Image(
              encoding_format="jpeg" if suffixes <= {".jpg", ".jpeg"} else None
            ),
            "file_name": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=list(folder.classes)),
          }
        ),
        supervised_keys=("image", "label"),
      )

  splits = {s: lambda s=s: examples(s) for s in folder.splits}
  counts = {split: len(files) for split, files in folder.splits.items()}
  return _subclass(Folder, name, splits, {}), counts


def _subclass(base, title: str, splits: dict[str, Callable[[], Examples]], names: dict):
  """`base` under the name `title`, with other examples and the given class names."""

  # The base is not known before it runs, so neither are the keywords that it takes.
  class Builder(base, skip_registration=True):  # pyright: ignore
    name = title

    def _split_generators(self, dl_manager):
      del dl_manager
      for feature, classes in names.items():
        self.info.features[feature].names = list(classes)
      return {split: self._generate_examples(split) for split in splits}

    def _generate_examples(self, split):
      return splits[split]()

  return Builder


def _png(image) -> bytes:
  from PIL import Image

  buffer = io.BytesIO()
  Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
  return buffer.getvalue()


def _rgb_jpeg(encoded: bytes, file: str) -> bytes:
  from PIL import Image

  buffer = io.BytesIO()
  try:
    with Image.open(io.BytesIO(encoded)) as image:
      image.convert("RGB").save(buffer, "JPEG", quality=100)
  except OSError as error:
    raise DataError(f"imagenet2012: cannot decode {file} ({error})") from error
  return buffer.getvalue()
