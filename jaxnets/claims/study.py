"""A sentence that training decides: its arms, and what must separate them. No JAX here."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from jaxnets.claims.measures import Measure
from jaxnets.config import Config, changed, hashed, to_json
from jaxnets.errors import ConfigError, did_you_mean
from jaxnets.sweep.grid import Matched

Size = Literal["cpu", "laptop", "gpu", "pod"]
# On what a study runs: the embedded digits; CIFAR-10, for minutes and as in the paper; ImageNet.
SIZES: tuple[Size, ...] = ("cpu", "laptop", "gpu", "pod")
Overrides = dict[str, Any]  # dotted config keys and values


class Arm(NamedTuple):
  """One side of comparisons: a net and its recipe, or hand-made features and a classifier."""

  overrides: Overrides
  tried: tuple[Overrides, ...] = ({},)  # of the recipe, for this arm alone; the best counts
  hand_made: bool = False  # overrides are of `classical.config`, the images those of the study


class Contrast(NamedTuple):
  """second - first in a measure, over common seeds, and what it must exceed."""

  says: str  # in words
  first: str | None  # name of an arm; None: the number 0, so that the other stands alone
  second: str | None  # likewise
  measure: Measure
  exceeds: float = 0.0  # in the measure's own unit; below 0: no more than so much less


class Study(NamedTuple):
  """The experiment of a claim at one size."""

  base: Config
  arms: Mapping[str, Arm]
  contrasts: tuple[Contrast, ...]
  seeds: int = 5
  note: str = ""  # what this size cannot show
  # What is tried counts by its least mean in this; by mean validation accuracy when None.
  tuned_by: Measure | None = None
  # Why runs of this size that stand against the sentence, or for it, decide nothing.
  cannot_refute: str = ""
  cannot_support: str = ""


# By the name of a measure, by arm.
Numbers = dict[str, dict[str, float]]


class Trial(NamedTuple):
  """A study without training runs: numbers that this process measures, for each seed."""

  measure: Callable[[int], Numbers]  # of a seed
  recipe: Mapping[str, Any]  # what is measured, as data; numbers of another recipe do not count
  contrasts: tuple[Contrast, ...]  # their measures by name
  seeds: int = 5
  note: str = ""
  timed: bool = False  # numbers of several machines are not put together


class Beyond(NamedTuple):
  """In place of a study: why a size cannot decide."""

  why: str


class Claim(NamedTuple):
  """A sentence that is told of nets, and the experiments that it stands or falls with."""

  id: str  # C1, C2, ...
  sentence: str  # as it is told
  source: str  # paper and section
  says: str  # what that source really says
  hypothesis: str  # what is tested
  expected: str  # effect in the literature
  study: Callable[[Size], Study | Trial | Beyond]
  misconception: str = ""  # what else is told and is wrong, and what stands against it


def recipe_of(study: Study | Trial) -> str:
  """The identity of what a study runs or measures, whatever the seeds and what is concluded.

  Of configs as far as they are known without counting: matched axes as they are declared.
  """
  if isinstance(study, Trial):
    return hashed(study.recipe)
  return hashed(
    {
      name: [_declared(study.base, arm.hand_made, arm.overrides | tried) for tried in arm.tried]
      for name, arm in study.arms.items()
    }
  )


def _declared(base: Config, hand_made: bool, overrides: Overrides) -> Any:
  matched = {key: value for key, value in overrides.items() if isinstance(value, Matched)}
  rest = {key: value for key, value in overrides.items() if key not in matched}
  if hand_made:
    data = base.data
    return rest | {"data": [data.name, data.image_size, data.validation]}
  return to_json(changed(base, rest)) | {"matched": matched}


def needs_pipelines(study: Study | Trial | Beyond) -> bool:
  """Whether an arm of a study is of hand-made features."""
  return isinstance(study, Study) and any(arm.hand_made for arm in study.arms.values())


def find(claims: Mapping[str, Claim], name: str) -> Claim:
  """The claim called `name`, in any case; ConfigError with the nearest otherwise."""
  if name.upper() in claims:
    return claims[name.upper()]
  raise ConfigError(
    f'there is no claim "{name}".{did_you_mean(name.upper(), claims)}\n'
    "All of them: python launch.py claims list"
  )
