"""A pipeline: features -> standardisation -> classifier, chosen on validation, tested once.

The classifier is fitted to the training images with each strength of its grid; the one that is best
on the validation images stays as it is. It is not refitted with the validation images, so that it
has seen the images that a ConvNet trains on and no others.
"""

import logging
import pickle
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxnets.classical import classifiers, features, images
from jaxnets.classical.classifiers import Strength
from jaxnets.classical.config import parts_of
from jaxnets.classical.memo import Memo
from jaxnets.config import Config, flatten, to_json
from jaxnets.data.records import Source
from jaxnets.data.subset import subset, taken

log = logging.getLogger("jaxnets")

Fitted = dict[str, Any]  # what each feature learned
Costs = dict[str, int | float | None]
_COUNTED = 1000  # images over which the comparisons of trees are averaged
# Training images that the accuracy on them is of, the first ones: an RBF SVM of 45,000 images takes
# longer to predict all of them than to be fitted.
_SCORED = 10_000


class Split(NamedTuple):
  """The images of a role as vectors."""

  vectors: np.ndarray  # float32 [n, d]
  labels: np.ndarray  # int32 [n]
  channels: int  # of the images
  seconds: float  # that the features of an image take


class Trial(NamedTuple):
  """A classifier fitted with one strength."""

  strength: Strength
  model: Any
  validation: float | None  # accuracy; None without validation images
  converged: bool
  seconds: float  # to fit it


class Reader(NamedTuple):
  """How splits are read: the same images and vectors are not computed twice in a process."""

  config: Config
  data_dir: str | None
  memo: Memo
  jobs: int = 1  # threads that describe images, and grow trees
  load: Callable[[Config, str, str | None], Source] = images.load


def run(reader: Reader, before_test: Callable[[], Any]) -> dict[str, Any]:
  """What summary.json holds of a pipeline, as `measure`; where nothing is drawn, for all seeds.

  `of_seed` is the seed with which it was measured in this process.
  """
  config = reader.config
  if _draws(reader):
    return measure(reader, before_test)
  values = {key: value for key, value in flatten(config).items() if key != "seed"}
  found = reader.memo.get(
    ("summary", *values.items(), reader.data_dir),
    lambda: measure(reader, before_test) | {"of_seed": config.seed},
  )
  if found["of_seed"] != config.seed:
    log.info("nothing is drawn: all is as with seed %d", found["of_seed"])
    before_test()  # its test accuracy is of those images, too
  return dict(found)


def _draws(reader: Reader) -> bool:
  """Whether the seed has a say: in the subset, in what features learn, or in the classifier."""
  config = reader.config
  if config.pipeline.images or any(features.FEATURES[part].fit for part in parts_of(config)):
    return True
  name = config.pipeline.classifier
  if name != "svm":
    return name in classifiers.DRAWING
  return classifiers.is_dual(*read(reader, "train", {}).vectors.shape)


def measure(reader: Reader, before_test: Callable[[], Any]) -> dict[str, Any]:
  """What summary.json holds of a pipeline, from its images to its test accuracy.

  Args:
    reader: of the config's images.
    before_test: called once, right before the test images are read.

  Raises:
    ConfigError: fewer training images than wanted, or too few for k-means.
    DataError: the dataset is not there.
  """
  config = reader.config
  fitted = learn(reader)
  training = read(reader, "train", fitted)
  validation = read(reader, "validation", fitted) if config.data.validation else None
  log.info(
    "%s, %s: %d numbers of each of %s training images",
    config.pipeline.features, config.pipeline.classifier, training.vectors.shape[1],
    f"{len(training.labels):,}",
  )  # fmt: skip
  standard = classifiers.standard_of(training.vectors)
  training = _standardised(training, standard)
  validation = None if validation is None else _standardised(validation, standard)
  best, trials = choose(config, training, validation, reader.jobs)
  metrics: dict[str, Any] = {}
  if validation is not None and best.validation is not None:
    metrics |= _scores("validation", best.validation, validation)
  seen = training._replace(vectors=training.vectors[:_SCORED], labels=training.labels[:_SCORED])
  metrics |= _scores("train", accuracy(best.model, seen), seen)
  before_test()
  testing = _standardised(read(reader, "test", fitted), standard)
  start = time.perf_counter()
  tested = accuracy(best.model, testing)
  predicting = (time.perf_counter() - start) / len(testing.labels)
  metrics |= _scores("test", tested, testing)
  metrics["protocol"] = protocol(config)
  return {
    "state": "done",
    "step": len(trials),
    "metrics": metrics,
    "pipeline": to_json(config.pipeline),
    "strength": best.strength,
    "tried": [_told(trial) for trial in trials],
    "images": len(training.labels),
    "features": training.vectors.shape[1],
    **costs(config, fitted, standard, best.model, training),
    "seconds_to_fit": round(best.seconds, 3),
    "seconds_to_choose": round(sum(trial.seconds for trial in trials), 3),
    "seconds_of_features_per_image": testing.seconds,
    "seconds_to_predict_per_image": predicting,
  }


def gather(reader: Reader, split: str) -> tuple[np.ndarray, np.ndarray]:
  """The images of a role uint8 [n, size, size, c] and their labels; of training ones the subset."""
  config = reader.config
  source = reader.memo.get(
    (split, *to_json(config.data).values(), reader.data_dir),
    lambda: reader.load(config, split, reader.data_dir),
  )
  if split == "train" and config.pipeline.images:
    rows = subset(source.labels, config.pipeline.images, config.seed, "pipeline.images")
    source = taken(source, rows)
  return images.pixels(source, config.data.image_size), source.labels


def learn(reader: Reader) -> Fitted:
  """What the features learn from the training images."""
  config = reader.config
  parts = [p for p in parts_of(config) if features.FEATURES[p].fit is not None]
  return {
    part: reader.memo.get(
      ("learned", *_identity(reader, part), *_subset(config), config.seed),
      lambda part=part: features.fit(part, gather(reader, "train")[0], config),
    )
    for part in parts
  }


def read(reader: Reader, split: str, fitted: Fitted) -> Split:
  """The vectors of a role: each feature's, side by side."""
  config = reader.config
  here, labels = gather(reader, split)

  def describe(part: str) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    vectors = features.describe(part, here, config, fitted.get(part), reader.jobs)
    return vectors, (time.perf_counter() - start) / len(here)

  found = []
  for part in parts_of(config):
    subset_of = _subset(config) if split == "train" or part in fitted else ()
    seed = (config.seed,) if part in fitted else ()
    key = (split, *_identity(reader, part), *subset_of, *seed)
    found.append(reader.memo.get(key, lambda part=part: describe(part)))
  vectors = np.concatenate([vectors for vectors, _ in found], axis=1)
  return Split(vectors, labels, here.shape[3], sum(seconds for _, seconds in found))


def choose(
  config: Config, training: Split, validation: Split | None, jobs: int
) -> tuple[Trial, list[Trial]]:
  """The trial that is best on the validation images, the first of equals; and all, without models.

  An RBF SVM of all of CIFAR-10 holds 100 MB, so that one is kept at a time.
  """
  best, trials = None, []
  for strength in classifiers.strengths(config):
    trial = attempt(config, strength, training, validation, jobs)
    if best is None or (trial.validation or 0) > (best.validation or 0):
      best = trial
    trials.append(trial._replace(model=None))
  assert best is not None  # a config's grid has a value
  return best, trials


def attempt(
  config: Config, strength: Strength, training: Split, validation: Split | None, jobs: int
) -> Trial:
  """Fits the classifier with one strength, and scores it on the validation images."""
  start = time.perf_counter()
  model, converged = classifiers.fit(config, strength, training.vectors, training.labels, jobs)
  seconds = time.perf_counter() - start
  score = None if validation is None else accuracy(model, validation)
  said = ", ".join(f"{key}={value:g}" for key, value in strength.items())
  told = "" if score is None else f", validation top-1 {100 * score:.2f} %"
  log.info("%s: fitted in %.1f s%s%s", said, seconds, told, "" if converged else "; not converged")
  return Trial(strength, model, score, converged, seconds)


def accuracy(model: Any, split: Split) -> float:
  """The share of images whose label is predicted."""
  return int((model.predict(split.vectors) == split.labels).sum()) / len(split.labels)


def protocol(config: Config) -> str:
  """How the numbers were measured, in words that two comparable runs share."""
  size = config.data.image_size
  return f"strength chosen on validation, not refitted, one view of {size}x{size} px"


def costs(config: Config, fitted: Fitted, standard: Any, model: Any, training: Split) -> Costs:
  """What one image costs, and how large the fitted pipeline is.

  macs are those of the features and of the classifier, params the learned numbers of both (means
  and deviations of the standardisation are not counted, as those of batch norm are not; left out
  for trees; macs are for features of which they depend on the image), model_bytes the length of
  all that prediction needs, pickled.
  """
  own = classifiers.cost(config.pipeline.classifier, model, training.vectors[:_COUNTED])
  of_features = features.macs(config, training.channels)
  learned = sum(features.FEATURES[part].learned(one) for part, one in fitted.items())
  found: Costs = {} if of_features is None else {
    "macs": of_features + own.macs, "feature_macs": of_features,
  }  # fmt: skip
  found |= {
    "classifier_macs": own.macs,
    "comparisons": own.comparisons,
    "model_bytes": len(pickle.dumps((fitted, standard, model), protocol=5)),
  }
  return found if own.params is None else {"params": learned + own.params, **found}


def _identity(reader: Reader, part: str) -> tuple[Any, ...]:
  """What a feature's vectors depend on, besides the subset that it learns from."""
  config = reader.config
  values = to_json(config)
  return (part, *values.get(part, {}).values(), *values["data"].values(), reader.data_dir)


def _subset(config: Config) -> tuple[int, ...]:
  """What tells training images from others: the number, and of a part of them the seed."""
  images = config.pipeline.images
  return (images, config.seed) if images else (0,)


def _standardised(split: Split, standard: classifiers.Standard) -> Split:
  return split._replace(vectors=classifiers.standardised(split.vectors, standard))


def _scores(name: str, score: float, split: Split) -> dict[str, float | int]:
  return {f"{name}_top1": score, f"{name}_count": len(split.labels)}


def _told(trial: Trial) -> dict[str, Any]:
  return {
    **trial.strength,
    "validation_top1": trial.validation,
    "converged": trial.converged,
    "seconds": round(trial.seconds, 3),
  }
