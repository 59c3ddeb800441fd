"""Verdicts on trained claims, from the numbers of their runs. No JAX here."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from jaxnets.claims.measures import Measure
from jaxnets.claims.study import Contrast
from jaxnets.runs import Run
from jaxnets.sweep import statistics
from jaxnets.sweep.statistics import Difference

Word = Literal["supported", "refuted", "underpowered", "unfinished"]
LEVEL = 0.95  # of all intervals of a claim together
TUNED_BY = "validation_top1"
ENDED = ("done", "diverged")

# By the index of what is tried, by seed.
Tried = Sequence[Mapping[int, Run]]
# By measure, arm, seed.
Values = dict[str, dict[str, dict[int, float]]]


class Gap(NamedTuple):
  """Why numbers of an arm decide nothing."""

  word: Word
  why: str


class Finding(NamedTuple):
  """A contrast with its numbers."""

  contrast: Contrast
  difference: Difference  # its interval holds for all contrasts of the claim together
  verdict: Word
  why: str  # of one that is neither supported nor refuted


class Verdict(NamedTuple):
  """What the runs say of a claim."""

  word: Word
  findings: list[Finding]
  chosen: dict[str, int]  # of the arms that were tuned, which of what was tried
  values: Values
  lost: dict[str, list[Run]]  # by arm: diverged, failed, or not finished


def judge(
  contrasts: Sequence[Contrast], arms: Mapping[str, Tried], tuned_by: Measure | None = None
) -> Verdict:
  """The verdict: supported where every contrast is, refuted where one is.

  A contrast is supported where the whole interval of the mean paired difference lies above what it
  must exceed, refuted where it lies below, else the runs cannot tell. Nor can they where a run of
  either arm is not finished, or diverged: what is left of the seeds would be chosen by the result.
  The intervals are widened so that they hold together with probability LEVEL (Bonferroni).

  Args:
    contrasts: of the claim.
    arms: the runs of each arm.
    tuned_by: as in `Study`.
  """
  chosen = {name: best(tried, tuned_by) for name, tried in arms.items()}
  gaps = {name: gap for name, tried in arms.items() if (gap := gap_of(name, tried, chosen[name]))}
  runs = {name: tried[chosen[name] or 0] for name, tried in arms.items()}
  values: Values = {}
  bounds: dict[str, dict[str, int]] = {}
  without: dict[tuple[str, str], int] = {}  # done runs that have no such number
  for one in contrasts:
    known = values.setdefault(one.measure.name, {})
    bound = bounds.setdefault(one.measure.name, {})
    for arm in filter(None, (one.first, one.second)):
      done = {seed: run for seed, run in sorted(runs[arm].items()) if run.state == "done"}
      found = {seed: one.measure.of(run) for seed, run in done.items()}
      known.setdefault(arm, {seed: v for seed, v in found.items() if v is not None})
      without[one.measure.name, arm] = len(found) - len(known[arm])
      bound.setdefault(arm, sum(one.measure.is_bound(run) for run in done.values()))
  lost = {
    name: [run for some in tried for run in some.values() if run.state != "done"]
    for name, tried in arms.items()
  }
  tuned = {n: i for n, i in chosen.items() if i is not None and len(arms[n]) > 1}
  verdict = weigh(contrasts, values, gaps, bounds)
  verdict = verdict._replace(findings=[_complete(one, without) for one in verdict.findings])
  verdict = verdict._replace(word=_all_of(verdict.findings))
  return verdict._replace(chosen=tuned, lost={name: some for name, some in lost.items() if some})


def weigh(
  contrasts: Sequence[Contrast],
  values: Values,
  gaps: Mapping[str, Gap] | None = None,
  bounds: Mapping[str, Mapping[str, int]] | None = None,
) -> Verdict:
  """The verdict on numbers, as `judge` gives it on runs.

  Args:
    contrasts: of the claim.
    values: of every measure and arm that they name.
    gaps: arms whose numbers decide nothing.
    bounds: how many numbers of a measure and an arm are the least that they may be.
  """
  # A difference that is limited on either side is one interval.
  measured = {
    (one.measure.name, frozenset((one.first, one.second)))
    for one in contrasts if not one.measure.exact
  }  # fmt: skip
  level = 1 - (1 - LEVEL) / max(1, len(measured))
  findings = []
  for one in contrasts:
    known = values.get(one.measure.name, {})
    first, second = (known.get(arm, {}) if arm else {} for arm in (one.first, one.second))
    first = first if one.first else dict.fromkeys(second, 0.0)
    second = second if one.second else dict.fromkeys(first, 0.0)
    difference = statistics.paired(first, second, level)
    finding = decide(one, difference)
    for arm in filter(None, (one.second, one.first)):
      if gap := (gaps or {}).get(arm):
        finding = finding._replace(verdict=gap.word, why=gap.why)
    findings.append(_bounded(finding, (bounds or {}).get(one.measure.name, {})))
  return Verdict(_all_of(findings), findings, {}, values, {})


def _all_of(findings: Sequence[Finding]) -> Word:
  """The verdict on a claim, of those on its contrasts."""
  words = [finding.verdict for finding in findings]
  word: Word = "supported" if set(words) == {"supported"} else "underpowered"
  for worse in ("unfinished", "refuted"):
    word = worse if worse in words else word
  return word


def _complete(finding: Finding, without: Mapping[tuple[str, str], int]) -> Finding:
  """A finding without the numbers of some runs decides nothing: these may be the worst."""
  for arm in filter(None, (finding.contrast.first, finding.contrast.second)):
    count = without[finding.contrast.measure.name, arm]
    if count and finding.verdict in ("supported", "refuted"):
      why = f"{count} runs of {arm} have no such number"
      return finding._replace(verdict="underpowered", why=why)
  return finding


def decide(contrast: Contrast, difference: Difference) -> Finding:
  """The finding of one contrast, from its numbers alone."""
  if difference.n == 0:
    return Finding(contrast, difference, "unfinished", "no common seeds that are done")
  if difference.low is None or difference.high is None:
    if difference.n > 1 and contrast.measure.exact:
      word = "supported" if (difference.mean or 0.0) > contrast.exceeds else "refuted"
      return Finding(contrast, difference, word, "")
    why = "the differences have no spread, which allows no interval"
    why = "one seed gives no verdict" if difference.n == 1 else why
    return Finding(contrast, difference, "underpowered", why)
  if difference.low > contrast.exceeds:
    return Finding(contrast, difference, "supported", "")
  if difference.high < contrast.exceeds:
    return Finding(contrast, difference, "refuted", "")
  return Finding(contrast, difference, "underpowered", "the interval holds both")


def _bounded(finding: Finding, bounds: Mapping[str, int]) -> Finding:
  """A difference whose parts are bounds is one too: it may be larger than found, or smaller."""
  first, second = (
    bounds.get(arm, 0) if arm else 0 for arm in (finding.contrast.first, finding.contrast.second)
  )
  if finding.verdict == "refuted" and second:
    why = f"{finding.contrast.second} never got there in {second} runs, so the truth may be more"
    return finding._replace(verdict="underpowered", why=why)
  if finding.verdict == "supported" and first:
    why = f"{finding.contrast.first} never got there in {first} runs, so the truth may be less"
    return finding._replace(verdict="underpowered", why=why)
  if first or second:
    never = " and ".join(
      f"{arm} in {count}" for arm, count in
      ((finding.contrast.first, first), (finding.contrast.second, second)) if count
    )  # fmt: skip
    said = f"never got there: {never} runs, which count as their whole length"
    return finding._replace(why=f"{finding.why}; {said}" if finding.why else said)
  return finding


def best(tried: Tried, tuned_by: Measure | None = None) -> int | None:
  """Which of what was tried for an arm counts; the test images are not asked.

  That with the best mean, of those of which every run is done. None while a run of any has not
  ended, and where none is done with every seed.
  """
  runs = [run for some in tried for run in some.values()]
  if len(tried) == 1:
    return 0
  if not runs or any(run.state not in ENDED for run in runs):
    return None
  means = {index: _mean(some, tuned_by) for index, some in enumerate(tried)}
  known = {index: mean for index, mean in means.items() if mean is not None}
  return min(known, key=lambda index: known[index], default=None)


def gap_of(name: str, tried: Tried, chosen: int | None) -> Gap | None:
  """Why the numbers of an arm decide nothing; None where they do."""
  runs = [run for some in tried for run in some.values()]
  left = sum(run.state not in ENDED for run in runs)
  if left or not runs:
    why = f"{left} of {len(runs)} runs of {name} are not done" if runs else f"{name} has no runs"
    return Gap("unfinished", why)
  if chosen is None:
    return Gap("underpowered", f"nothing that was tried for {name} is done with every seed")
  own = tried[chosen].values()
  diverged = sum(run.state == "diverged" for run in own)
  if diverged:
    return Gap("underpowered", f"{diverged} of {len(own)} runs of {name} diverged")
  return None


def _mean(runs: Mapping[int, Run], tuned_by: Measure | None) -> float | None:
  """Mean of what an arm is tuned by, the lower the better; None where a run has none."""
  if tuned_by is None:
    found = [run.summary.get("metrics", {}).get(TUNED_BY) for run in runs.values()]
    found = [None if value is None else -value for value in found]
  else:
    found = [tuned_by.of(run) for run in runs.values()]
  known = [value for value in found if value is not None]
  return sum(known) / len(known) if known and len(known) == len(found) else None
