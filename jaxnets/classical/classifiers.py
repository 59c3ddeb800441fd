"""Names -> scikit-learn's classifiers, each with its strength, and what one image costs them."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnets.classical.config import grid_of
from jaxnets.config import Config, flatten

Strength = dict[str, float]  # {"svm.c": 0.01}
DRAWING = ("forest", "tree")  # what they fit depends on the seed


class Standard(NamedTuple):
  """Mean and deviation of every feature over the training images, float32 [d]."""

  mean: np.ndarray
  deviation: np.ndarray


class Cost(NamedTuple):
  """What a fitted classifier takes for one image."""

  # Multiply-adds by the rule of `features`; of an RBF SVM the distances to its support vectors and
  # the weighted sums of their kernels; trees have none.
  macs: int
  comparisons: float | None  # of trees, the mean over images
  # Coefficients, or support vectors and their weights; None of trees, whose nodes hold choices.
  params: int | None


def standard_of(vectors: np.ndarray) -> Standard:
  """Of training vectors [n, d]; a feature that never varies has deviation 1."""
  mean = vectors.mean(axis=0, dtype=np.float64)
  deviation = vectors.std(axis=0, dtype=np.float64)
  deviation[deviation < 1e-12] = 1
  return Standard(mean.astype(np.float32), deviation.astype(np.float32))


def standardised(vectors: np.ndarray, standard: Standard) -> np.ndarray:
  """Vectors [n, d] in deviations from the training mean, float32."""
  return (vectors - standard.mean) / standard.deviation


def strengths(config: Config) -> Iterator[Strength]:
  """Every combination of the values that the config declares for its classifier, in order."""
  grid = grid_of(config)
  for values in itertools.product(*grid.values()):
    yield dict(zip(grid, values, strict=True))


def is_dual(images: int, features: int) -> bool:
  """Whether the linear SVM of vectors [images, features] solves its dual, drawing by its seed."""
  return images < features


def fit(
  config: Config, strength: Strength, vectors: np.ndarray, labels: np.ndarray, jobs: int
) -> tuple[Any, bool]:
  """A classifier fitted to standardised vectors [n, d], and whether its solver converged."""
  from sklearn.exceptions import ConvergenceWarning

  values = flatten(config) | strength
  model = MAKERS[config.pipeline.classifier](values, vectors.shape[1], config.seed, jobs)
  with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    model.fit(vectors, labels)
  others = [one for one in told if not issubclass(one.category, ConvergenceWarning)]
  for one in others:
    warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
  if hasattr(model, "n_jobs"):
    model.n_jobs = 1  # threads would add the trees' votes in the order in which they end
  return model, len(others) == len(told)


def _svm(values: Mapping[str, Any], features: int, seed: int, jobs: int) -> Any:
  from sklearn.svm import LinearSVC

  del features, jobs
  # One against the rest, squared hinge, as Coates et al. "auto" is `is_dual`: the primal takes
  # up to a hundred times as long there. The tolerance is LIBLINEAR's own.
  return LinearSVC(C=values["svm.c"], dual="auto", tol=1e-2, max_iter=3000, random_state=seed)


def _rbf(values: Mapping[str, Any], features: int, seed: int, jobs: int) -> Any:
  from sklearn.svm import SVC

  del seed, jobs
  return SVC(C=values["rbf.c"], gamma=values["rbf.gamma"] / features, cache_size=1000)


def _logreg(values: Mapping[str, Any], features: int, seed: int, jobs: int) -> Any:
  from sklearn.linear_model import LogisticRegression

  del features, seed, jobs
  return LogisticRegression(C=values["logreg.c"], tol=1e-3, max_iter=300)


def _forest(values: Mapping[str, Any], features: int, seed: int, jobs: int) -> Any:
  from sklearn.ensemble import RandomForestClassifier

  del features
  return RandomForestClassifier(
    values["forest.trees"], min_samples_leaf=values["forest.leaf"], n_jobs=jobs, random_state=seed
  )


def _tree(values: Mapping[str, Any], features: int, seed: int, jobs: int) -> Any:
  from sklearn.tree import DecisionTreeClassifier

  del features, jobs
  return DecisionTreeClassifier(max_depth=values["tree.depth"], random_state=seed)


MAKERS: dict[str, Callable[[Mapping[str, Any], int, int, int], Any]] = {
  "svm": _svm,
  "rbf": _rbf,
  "logreg": _logreg,
  "forest": _forest,
  "tree": _tree,
}


def cost(name: str, model: Any, vectors: np.ndarray) -> Cost:
  """What a fitted classifier takes for one image.

  Args:
    name: of the classifier.
    model: the classifier.
    vectors: standardised ones [n, d], over which the comparisons of trees are averaged.

  """
  if name in ("forest", "tree"):
    paths = model.decision_path(vectors)
    nodes = (paths[0] if name == "forest" else paths).sum() / len(vectors)
    leaves = len(model.estimators_) if name == "forest" else 1
    return Cost(0, float(nodes) - leaves, None)
  if name == "rbf":
    held, weights = model.support_vectors_.size, model.dual_coef_.size
    return Cost(held + _kernel_terms(model), None, held + weights + model.intercept_.size)
  return Cost(model.coef_.size, None, model.coef_.size + model.intercept_.size)


def _kernel_terms(model: Any) -> int:
  """Terms of all pairwise decisions: every support vector takes part in those of its class."""
  return int(model.n_support_.sum()) * (len(model.classes_) - 1)
