"""Which runs of a sweep folder decide which claim: claims.json. No JAX here."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxnets.claims.judge import Values
from jaxnets.claims.study import (
  Arm,
  Beyond,
  Claim,
  Contrast,
  Numbers,
  Overrides,
  Size,
  Study,
  Trial,
  recipe_of,
)
from jaxnets.classical import config as of_pipelines
from jaxnets.config import Config, changed, digest
from jaxnets.errors import ConfigError
from jaxnets.runs import Run, read_json, read_run, write_json
from jaxnets.sweep import cells, folder
from jaxnets.sweep.cells import Cell, Solve

NAME = "claims.json"
PIPELINES = "pipelines"  # the sweep folder of hand-made features, inside that of the nets
SCHEMA = 2  # 2: what the numbers are of, and the seeds of a trial that were planned


class Choice(NamedTuple):
  """Something that is tried for an arm."""

  recipe: str  # hash of its config, whatever the seed
  cells: dict[int, str]  # hashes by seed


Arms = dict[str, list[Choice]]  # what is tried for each arm


class Declared(NamedTuple):
  """The runs that decide a claim."""

  recipe: str  # `recipe_of` its study; "" of one that is beyond a size
  arms: Arms


class Measured(NamedTuple):
  """What the trial of a claim measured."""

  recipe: str  # `recipe_of` it
  where: str  # on what; "" where that makes no difference, or nothing is measured yet
  seeds: list[int]  # that were to be measured
  values: Values


class Known(NamedTuple):
  """What claims.json says, by size and claim."""

  runs: dict[Size, dict[str, Declared]]
  trials: dict[Size, dict[str, Measured]]


class Planned(NamedTuple):
  """The cells of some claims, each once, and which of them decide what."""

  cells: list[Cell]
  pipelines: list[Cell]  # of hand-made features
  declared: dict[str, Declared]  # by claim


def plan(
  claims: Sequence[Claim],
  size: Size,
  seeds: Sequence[int] | None,
  make_solve: Callable[[Config], Solve],
) -> Planned:
  """Resolves the studies of claims; a run that several claims need is one cell.

  Args:
    claims: to be decided.
    size: at which.
    seeds: of all runs; each study's own number when None.
    make_solve: what finds the values of matched axes, for the base config of a study.
  """
  found: dict[str, Cell] = {}
  pipelines: dict[str, Cell] = {}
  declared: dict[str, Declared] = {}
  for claim in claims:
    study = claim.study(size)
    if isinstance(study, Beyond):
      declared[claim.id] = Declared("", {})  # so that the report says why
    if not isinstance(study, Study):
      continue
    own = list(range(study.seeds)) if seeds is None else list(seeds)
    solve = make_solve(study.base)

    def choice(arm: Arm, tried: Overrides, study=study, own=own, solve=solve) -> Choice:
      overrides = arm.overrides | tried
      if arm.hand_made:
        made, known = _pipelines(study, overrides, own), pipelines
        recipe = of_pipelines.changed(made[0].overrides | {"seed": 0})
      else:
        made = cells.resolve(study.base, [overrides | {"seed": seed} for seed in own], solve)
        known = found
        recipe = changed(made[0].config, {"seed": 0})
      hashes = [known.setdefault(cell.hash, cell).hash for cell in made]
      return Choice(digest(recipe), dict(zip(own, hashes, strict=True)))

    arms = {name: [choice(arm, tried) for tried in arm.tried] for name, arm in study.arms.items()}
    declared[claim.id] = Declared(recipe_of(study), arms)
  return Planned(list(found.values()), list(pipelines.values()), declared)


def tried(declared: Mapping[str, Declared]) -> set[str]:
  """The hashes of runs that are one of several to choose from, for each arm that has them."""
  among: set[str] = set()
  alone: set[str] = set()
  for one in declared.values():
    for choices in one.arms.values():
      own = {cell for choice in choices for cell in choice.cells.values()}
      (among if len(choices) > 1 else alone).update(own)
  return among - alone


def _pipelines(study: Study, overrides: Overrides, seeds: Sequence[int]) -> list[Cell]:
  """The cells of hand-made features on the images of a study, one a seed."""
  of_data = {f"data.{key}": study.base.data[key] for key in ("name", "image_size", "validation")}
  rest = of_data | overrides
  features, classifier = rest.pop("pipeline.features"), rest.pop("pipeline.classifier")
  return of_pipelines.cells([features], [classifier], seeds, overrides=rest)


def write(workdir: Path, size: Size, declared: Mapping[str, Declared]) -> None:
  """Adds claims to claims.json; seeds that it knows stay where the recipe is the same."""
  with folder.locked(workdir):
    known = _read(workdir)
    of_size = known.runs.setdefault(size, {})
    for name, own in declared.items():
      before = of_size[name].arms if name in of_size else {}
      arms = {arm: _union(before.get(arm, []), tried) for arm, tried in own.arms.items()}
      of_size[name] = own._replace(arms=arms)
    _write(workdir, known)


def plan_trial(
  workdir: Path, size: Size, name: str, trial: Trial, seeds: Sequence[int], where: str = ""
) -> list[int]:
  """Notes the seeds that a trial is to measure; those of them that it did not measure yet.

  What was measured by another recipe is forgotten, and what was measured elsewhere, of a trial that
  is timed, where `where` is given.
  """
  with folder.locked(workdir):
    known = _read(workdir)
    trials, recipe = known.trials.setdefault(size, {}), recipe_of(trial)
    before = trials.get(name, Measured(recipe, where, [], {}))
    if before.recipe != recipe:
      before = Measured(recipe, where, [], {})
    if trial.timed and where and where != before.where:
      before = before._replace(where=where, values={})
    trials[name] = before._replace(seeds=sorted({*before.seeds, *seeds}))
    _write(workdir, known)
  done = seeds_of(before.values, trial.contrasts)
  return [seed for seed in seeds if seed not in done]


def write_trial(
  workdir: Path, size: Size, name: str, trial: Trial, seed: int, numbers: Numbers
) -> None:
  """Adds what a trial that was planned measured with a seed to claims.json.

  Raises:
    ConfigError: another trial of this name was planned meanwhile.
  """
  with folder.locked(workdir):
    known = _read(workdir)
    found = known.trials[size][name]
    if found.recipe != recipe_of(trial):
      raise ConfigError(
        f"{workdir}/{NAME}: {name} is another trial by now, so seed {seed} is not kept\n"
        "Two versions measure into one folder; give one of them another --workdir"
      )
    for measure, arms in numbers.items():
      for arm, value in arms.items():
        found.values.setdefault(measure, {}).setdefault(arm, {})[seed] = value
    _write(workdir, known)


def declared_seeds(arms: Arms) -> set[int]:
  """The seeds with which everything that is tried for every arm was to be run."""
  own = [set(one.cells) for tried in arms.values() for one in tried]
  return set.intersection(*own) if own else set()


def _union(before: list[Choice], now: list[Choice]) -> list[Choice]:
  old = {one.recipe: one.cells for one in before}
  return [one._replace(cells=old.get(one.recipe, {}) | one.cells) for one in now]


def read(workdir: Path, size: Size) -> dict[str, Declared]:
  """The claims whose runs were declared at a size.

  Raises:
    ConfigError: none was.
  """
  known = _read(workdir)
  if not _holds(known, size):
    raise ConfigError(
      f"{workdir} holds no claims of size {size}\n"
      f"Run some: python launch.py claims run --size={size} --workdir={workdir}"
    )
  return known.runs.get(size, {})


def holds(workdir: Path, size: Size) -> bool:
  """Whether claims of a size were run in the folder."""
  return _holds(_read(workdir), size)


def read_trials(workdir: Path, size: Size) -> dict[str, Measured]:
  """What the trials that were made at a size measured."""
  return _read(workdir).trials.get(size, {})


def seeds_of(values: Values, contrasts: Sequence[Contrast]) -> set[int]:
  """The seeds for which all that contrasts of a trial name is known."""
  known = [
    set(values.get(one.measure.name, {}).get(arm, {}))
    for one in contrasts for arm in (one.first, one.second) if arm
  ]  # fmt: skip
  return set.intersection(*known) if known else set()


def of_seeds(values: Values, seeds: Sequence[int] | None) -> Values:
  """The numbers of some seeds only, when given."""
  return {
    measure: {
      arm: {seed: v for seed, v in own.items() if seeds is None or seed in seeds}
      for arm, own in arms.items()
    }
    for measure, arms in values.items()
  }


def _holds(known: Known, size: Size) -> bool:
  return bool(known.runs.get(size) or known.trials.get(size))


def _read(workdir: Path) -> Known:
  values = read_json(workdir / NAME) or {"schema": SCHEMA, "runs": {}, "trials": {}}
  if values.get("schema") != SCHEMA:
    raise ConfigError(
      f"{workdir}/{NAME} has schema {values.get('schema')}; this version reads {SCHEMA}\n"
      "Move it away and run the claims again: runs that are done are found by their configs"
    )
  runs, trials = (_with_seeds(values.get(kind, {})) for kind in ("runs", "trials"))
  return Known(
    {size: {name: _declared(*one) for name, one in own.items()} for size, own in runs.items()},
    {size: {name: Measured(*one) for name, one in own.items()} for size, own in trials.items()},
  )


def _declared(recipe: str, arms: Mapping[str, Any]) -> Declared:
  return Declared(recipe, {arm: [Choice(*one) for one in tried] for arm, tried in arms.items()})


def _write(workdir: Path, known: Known) -> None:
  write_json(workdir / NAME, {"schema": SCHEMA, **known._asdict()})


def _with_seeds(tree: Any) -> Any:
  """JSON with the keys that are seeds as numbers."""
  if isinstance(tree, list):
    return [_with_seeds(one) for one in tree]
  if not isinstance(tree, dict):
    return tree
  return {int(k) if re.fullmatch(r"\d+", k) else k: _with_seeds(v) for k, v in tree.items()}


def runs_of(
  workdir: Path, arms: Arms, seeds: Sequence[int] | None = None
) -> dict[str, list[dict[int, Run]]]:
  """The runs of a claim's arms, as `judge` takes them; of some seeds only, when given."""
  places = {}
  for place in (workdir, workdir / PIPELINES):
    if folder.is_sweep(place):
      places |= {row["hash"]: (place, row) for row in folder.read(place).cells}
  return {
    arm: [
      {
        seed: _run(*places[cell]) if cell in places else read_run(workdir / cell)
        for seed, cell in one.cells.items()
        if seeds is None or seed in seeds
      }
      for one in tried
    ]
    for arm, tried in arms.items()
  }


def _run(workdir: Path, row: Mapping[str, Any]) -> Run:
  """A cell's run, with its config also when it has not begun."""
  run = read_run(workdir / row["folder"])
  return run if run.config else run._replace(config=row["config"])
