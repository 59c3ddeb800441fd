"""The verdicts on the claims that were run in a folder. No JAX here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnets.claims import ledger
from jaxnets.claims.judge import Gap, Tried, Verdict, judge, weigh
from jaxnets.claims.ledger import Declared, Measured
from jaxnets.claims.study import Beyond, Size, Study, Trial, recipe_of
from jaxnets.claims.trained import CLAIMS


class Judged(NamedTuple):
  """What the runs of a folder say at a size."""

  verdicts: dict[str, Verdict]  # by claim
  runs: dict[str, Mapping[str, Tried]]  # by claim and arm; none of trials


class Lack(NamedTuple):
  """What it takes to finish a claim that is not."""

  seeds: tuple[int, ...]  # all with which it was begun; () for the study's own
  again: bool  # whether a run failed, which is not tried again unasked
  data_dir: str  # where the runs that began had their data; "" for the usual place


def read(workdir: Path, size: Size, seeds: Sequence[int] | None = None) -> Judged:
  """The verdicts of a size, of some seeds only when given.

  Raises:
    ConfigError: the folder holds no claims of this size.
  """
  judged = Judged({}, {})
  known, trials = ledger.read(workdir, size), ledger.read_trials(workdir, size)
  for name, claim in CLAIMS.items():
    study = claim.study(size)
    judged.runs[name] = {}
    if isinstance(study, Beyond):
      if name in known:
        judged.verdicts[name] = weigh((), {})
      continue
    found = (trials if isinstance(study, Trial) else known).get(name)
    if found is None:
      continue
    if found.recipe != recipe_of(study):
      gap = Gap("unfinished", "this is another study by now")
      judged.verdicts[name] = weigh(study.contrasts, {}, _everywhere(study, gap))
    elif isinstance(found, Measured) and isinstance(study, Trial):
      judged.verdicts[name] = _of_trial(study, found, seeds)
    elif isinstance(found, Declared) and isinstance(study, Study):
      judged.runs[name] = ledger.runs_of(workdir, found.arms, seeds)
      absent = set(seeds or ()) - ledger.declared_seeds(found.arms)
      if seeds and absent:
        gap = Gap("unfinished", f"{len(absent)} of {len(seeds)} seeds were not run")
        judged.verdicts[name] = weigh(study.contrasts, {}, _everywhere(study, gap))
        continue
      verdict = judge(study.contrasts, judged.runs[name], study.tuned_by)
      if {"refuted": study.cannot_refute, "supported": study.cannot_support}.get(verdict.word):
        verdict = verdict._replace(word="underpowered")
      judged.verdicts[name] = verdict
  return judged


def lack(judged: Judged, name: str, workdir: Path, size: Size) -> Lack:
  """What is to be run of an unfinished claim."""
  study = CLAIMS[name].study(size)
  begun = [own for tried in judged.runs[name].values() for own in tried]
  seeds = {seed for own in begun for seed in own}
  if isinstance(study, Trial):
    seeds.update(ledger.read_trials(workdir, size)[name].seeds)  # there is one, as it is judged
  planned = set() if isinstance(study, Beyond) else set(range(study.seeds))
  every = [run for own in begun for run in own.values()]
  failed = any(run.state == "failed" for run in every)
  data_dir = next(filter(None, (run.record.get("data_dir") for run in every)), "")
  return Lack(() if seeds == planned else tuple(sorted(seeds)), failed, data_dir)


def _of_trial(trial: Trial, found: Measured, seeds: Sequence[int] | None) -> Verdict:
  """The verdict on a trial; some seeds of those that were planned would be a choice."""
  planned = set(found.seeds if seeds is None else seeds)
  values = ledger.of_seeds(found.values, seeds)
  done = planned & ledger.seeds_of(values, trial.contrasts)
  gap = Gap("unfinished", f"{len(planned - done)} of {len(planned)} seeds are not measured")
  return weigh(trial.contrasts, values, _everywhere(trial, gap) if planned - done else {})


def _everywhere(study: Study | Trial, gap: Gap) -> dict[str, Gap]:
  """One gap for all arms."""
  return {arm: gap for one in study.contrasts for arm in (one.first, one.second) if arm}
