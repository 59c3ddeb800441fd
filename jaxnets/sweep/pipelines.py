"""Hand-made pipelines among the runs of a folder: what tells them apart, and on how many images
they were fitted. No JAX here.

The config of a pipeline has the fields of all features and classifiers; those of parts that it does
not have say nothing of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxnets.runs import Run

FEATURES, CLASSIFIER, IMAGES = "pipeline.features", "pipeline.classifier", "pipeline.images"
SIZES = (IMAGES, "data.images")  # the training images of a pipeline, and of a net
KINDS = ("net.name", FEATURES, CLASSIFIER)  # what a run is, in words that only its kind has
_SHARED = ("data", "pipeline")  # sections of every pipeline


def is_pipeline(config: Mapping[str, Any]) -> bool:
  """Whether a flat config is one of a pipeline; else it is a net's."""
  return FEATURES in config


def own_fields(config: Mapping[str, Any]) -> dict[str, Any]:
  """A flat config without the fields of features and classifiers that it does not have."""
  if not is_pipeline(config):
    return dict(config)
  parts = {*_SHARED, *config[FEATURES].split("+"), config[CLASSIFIER]}
  return {
    key: value for key, value in config.items() if "." not in key or key.partition(".")[0] in parts
  }


def varied(configs: Sequence[Mapping[str, Any]]) -> list[str]:
  """The keys in which flat configs, of `own_fields`, differ, in their order.

  Of two nets one that lacks a key differs in it. A pipeline that lacks a key differs in what it is
  made of, which is told; a net and a pipeline in `KINDS`.
  """
  nets = [one for one in configs if not is_pipeline(one)]
  mixed = 0 < len(nets) < len(configs)
  keys = dict.fromkeys(key for one in configs for key in one)
  found = []
  for key in keys:
    values = {repr(one[key]) for one in configs if key in one}
    lacking = sum(key not in one for one in nets)
    if len(values) > 1 or 0 < lacking < len(nets) or (mixed and key in KINDS):
      found.append(key)
  return found


def all_images(runs: Iterable[Run]) -> dict[Any, int]:
  """The number of all training images of each set of images, as the pipelines among runs tell."""
  return {
    _set(run): run.summary["images"]
    for run in runs
    if "images" in run.summary and not run.config.get("pipeline", {"images": 1})["images"]
  }


def images(run: Run, known: Mapping[Any, int]) -> int | None:
  """The number of training images of a run that is done; None where it is not known.

  Args:
    run: of a net, whose summary may be older than this number, or of a pipeline.
    known: of `all_images`.
  """
  if not run.summary:
    return None
  told = run.summary.get("images") or run.config.get("pipeline", {}).get("images")
  return told or known.get(_set(run))


def _set(run: Run) -> tuple[Any, ...]:
  """What the number of all training images follows from."""
  data = run.summary.get("data", {})
  return data.get("name"), data.get("fingerprint"), run.config["data"].get("validation")
