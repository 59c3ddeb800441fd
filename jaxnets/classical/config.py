"""The config of a pipeline: its fields, its checks, and the cells of a sweep over pipelines.

Every config has every field, as a ConvNet's has; a field of features or of a classifier that the
pipeline does not have stays at its default. No JAX here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from jaxnets import config as configuration
from jaxnets.config import Config
from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.fields import FIELDS as OF_NETS
from jaxnets.fields import Field, check_field
from jaxnets.sweep.cells import DIGITS, Cell, name

FEATURES = ("raw", "hog", "lbp", "gist", "sift", "colour", "kmeans")
# Classifier -> the fields whose values are tried on the validation images.
GRIDS: dict[str, tuple[str, ...]] = {
  "svm": ("svm.c",),
  "rbf": ("rbf.c", "rbf.gamma"),
  "logreg": ("logreg.c",),
  "forest": ("forest.leaf",),
  "tree": ("tree.depth",),
}
FIELDS: dict[str, Field] = {
  **{key: OF_NETS[key] for key in ("data.name", "data.image_size", "data.validation")},
  "pipeline.features": Field("hog", "features, joined by +, as hog+lbp"),
  "pipeline.classifier": Field("svm", "classifier", tuple(GRIDS)),
  "pipeline.images": Field(
    0, "training images, balanced over classes, chosen by the seed; 0: all", low=0
  ),
  "hog.cell": Field(8, "side of a cell, px", low=1),
  "hog.block": Field(2, "side of a block, cells", low=1),
  "hog.orientations": Field(9, "bins over 180 degrees", low=1),
  "lbp.points": Field(8, "neighbours on the circle", low=2),
  "lbp.radius": Field(1, "of the circle, px", low=1),
  "lbp.method": Field(
    "nri_uniform", "patterns told apart up to rotation, or as they are", ("uniform", "nri_uniform")
  ),
  "lbp.grid": Field(4, "cells along each side of the image, a histogram each", low=1),
  "gist.scales": Field(3, "centre frequencies, 1.85 apart", low=1),
  "gist.orientations": Field(8, "Gabor filters of each scale, over 180 degrees", low=1),
  "gist.grid": Field(4, "cells along each side, a mean energy each", low=1),
  "sift.detector": Field(
    "dense", "descriptors on a grid, or at the keypoints of Lowe's detector", ("dense", "keypoints")
  ),
  "sift.bin": Field(4, "side of one of the 4x4 bins of a descriptor, px", low=1),
  "sift.step": Field(2, "px between neighbouring dense descriptors", low=1),
  "sift.words": Field(500, "visual words, by k-means on training descriptors", low=2),
  "sift.sample": Field(100_000, "training descriptors that k-means sees", low=1),
  "sift.grid": Field(2, "cells along each side, a histogram of words each", low=1),
  "colour.bins": Field(4, "of each channel; their joint histogram", low=2),
  "colour.grid": Field(2, "cells along each side, a histogram each", low=1),
  "kmeans.centroids": Field(200, "learned patches", low=2),
  "kmeans.patch": Field(6, "side of a patch, px", low=2),
  "kmeans.sample": Field(100_000, "training patches that whitening and k-means see", low=2),
  "kmeans.whitening": Field(0.1, "added to the patches' variances before whitening", low=0),
  "kmeans.contrast": Field(10.0, "added to a patch's variance, squared grey levels", low=0),
  "svm.c": Field((1e-4, 1e-3, 1e-2, 1e-1), "strengths tried: linear SVM's C"),
  "rbf.c": Field((1.0, 10.0), "strengths tried: RBF SVM's C"),
  "rbf.gamma": Field((0.5, 1.0), "widths tried: gamma times the number of features"),
  "logreg.c": Field((1e-4, 1e-3, 1e-2, 1e-1), "strengths tried: logistic regression's C"),
  "forest.trees": Field(300, "trees of the random forest", low=1),
  "forest.leaf": Field((1, 2, 4), "strengths tried: fewest images in a leaf"),
  "tree.depth": Field((5, 10, 15, 20), "strengths tried: of the decision tree"),
  "seed": OF_NETS["seed"]._replace(meaning="of subset, k-means and forest"),
}
# What --features, --classifiers, --sizes and --seeds declare.
DECLARED = ("pipeline.features", "pipeline.classifier", "pipeline.images", "seed")


def base() -> Config:
  """The default config, locked."""
  values: dict[str, Any] = {}
  for key, field in FIELDS.items():
    section, _, last = key.rpartition(".")
    (values.setdefault(section, {}) if section else values)[last] = field.default
  return ConfigDict(values, sort_keys=False).lock()


def changed(overrides: Mapping[str, Any]) -> Config:
  """The checked config with these values; a lone number stands for a tuple of one.

  Raises:
    ConfigError: a key or a value that the config cannot have.
  """
  config = base()
  for key, value in overrides.items():
    if key in FIELDS and isinstance(FIELDS[key].default, tuple):
      value = tuple(value) if isinstance(value, tuple | list) else (value,)
    configuration.override(config, key, value)
  check(config)
  return config


def from_json(values: Mapping[str, Any]) -> Config:
  """The checked config that a run folder or sweep.json keeps."""
  return changed(configuration.flatten(values))


def check(config: Config) -> None:
  """Refuses values that cannot be meant; ConfigError names the field and what it may be."""
  for key, value in configuration.flatten(config).items():
    check_field(key, value, FIELDS[key])
    if isinstance(value, tuple) and (not value or min(value) <= 0):
      raise ConfigError(f"{key} (={value!r}) must hold numbers above 0: {FIELDS[key].meaning}")
  parts = parts_of(config)
  for part in parts:
    if part not in FEATURES:
      raise ConfigError(
        f'there are no features "{part}".{did_you_mean(part, FEATURES)}\n'
        f"Features: {' '.join(FEATURES)}, or several joined by +"
      )
  if len(set(parts)) < len(parts):
    raise ConfigError(f"pipeline.features (={'+'.join(parts)}) must name each feature once")
  points = math.prod(len(values) for values in grid_of(config).values())
  if not config.data.validation and points > 1:
    raise ConfigError(
      f"data.validation (=0.0) keeps no images to choose among {points} strengths of "
      f"{config.pipeline.classifier}\nGive {' and '.join(grid_of(config))} one value, or keep some"
    )


def parts_of(config: Config) -> tuple[str, ...]:
  """The features of a pipeline, in order."""
  return tuple(config.pipeline.features.split("+"))


def grid_of(config: Config) -> dict[str, tuple[float, ...]]:
  """The fields of the classifier that are tried, with their values."""
  values = configuration.flatten(config)
  return {key: values[key] for key in GRIDS[config.pipeline.classifier]}


def cells(
  features: Sequence[str],
  classifiers: Sequence[str],
  seeds: Iterable[int] = (0,),
  sizes: Sequence[int] = (0,),
  overrides: Mapping[str, Any] | None = None,
) -> list[Cell]:
  """Every pipeline of these features and classifiers, once for each seed and size.

  Cells of equal `program` read the same features and follow each other. An override of a field
  holds for the pipelines that have its features or its classifier, and for all if it is of data.

  Raises:
    ConfigError: a name or value that there is not, an override that no pipeline has.
  """
  overrides, used = dict(overrides or {}), set()
  refuse(overrides, classifiers)
  found: dict[str, Cell] = {}
  for part in features:
    for seed in seeds:
      for size in sizes:
        for classifier in classifiers:
          declared = dict(zip(DECLARED, (part, classifier, size, seed), strict=True))
          sections = {"data", classifier, *part.split("+")}
          own = {key: v for key, v in overrides.items() if key.partition(".")[0] in sections}
          used |= own.keys()
          cell = _cell(declared | own)
          found.setdefault(cell.hash, cell)
  for key in overrides:
    if key not in used:
      raise ConfigError(
        f"{key} says nothing of {', '.join(features)} with {', '.join(classifiers)}\n"
        f"Add {key.partition('.')[0]} to --features or --classifiers, or leave it out"
      )
  return list(found.values())


def refuse(overrides: Mapping[str, Any], classifiers: Sequence[str]) -> None:
  """Refuses keys that no config has or that flags declare, and classifiers that there are not."""
  flags = dict(zip(DECLARED, ("features", "classifiers", "sizes", "seeds"), strict=True))
  for key in overrides:
    if key in flags:
      raise ConfigError(f"{key} is what the flag declares\nGive --{flags[key]}")
    if key not in FIELDS:
      raise ConfigError(f'config has no field "{key}".{did_you_mean(key, FIELDS)}')
  for classifier in classifiers:
    if classifier not in GRIDS:
      raise ConfigError(
        f'there is no classifier "{classifier}".{did_you_mean(classifier, GRIDS)}\n'
        f"Classifiers: {' '.join(GRIDS)}"
      )


def _cell(overrides: Mapping[str, Any]) -> Cell:
  config = changed(overrides)
  digest = configuration.digest(config)
  classifying = ("pipeline.classifier", *(key for key in FIELDS if key.partition(".")[0] in GRIDS))
  read = {key: value for key, value in overrides.items() if key not in classifying}
  program = configuration.digest(changed(read))
  return Cell(digest, f"{name(overrides)}-{digest[:DIGITS]}", dict(overrides), config, program)
