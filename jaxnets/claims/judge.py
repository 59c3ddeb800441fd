"""Verdicts on trained claims, from the numbers of their runs. No JAX here."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from jaxnets.claims.study import Contrast
from jaxnets.runs import Run
from jaxnets.sweep import statistics
from jaxnets.sweep.statistics import Difference

Word = Literal["supported", "refuted", "underpowered"]
LEVEL = 0.95  # of all intervals of a claim together
TUNED_BY = "validation_top1"

# By the index of what is tried, by seed.
Tried = Sequence[Mapping[int, Run]]
# By measure, arm, seed.
Values = dict[str, dict[str, dict[int, float]]]


class Finding(NamedTuple):
  """A contrast with its numbers."""

  contrast: Contrast
  difference: Difference  # its interval holds for all contrasts of the claim together
  verdict: Word
  why: str  # of an underpowered one


class Verdict(NamedTuple):
  """What the runs say of a claim."""

  word: Word
  findings: list[Finding]
  chosen: dict[str, int]  # of the arms that were tuned, which of what was tried
  values: Values
  lost: list[Run]  # diverged, failed, or not finished


def judge(contrasts: Sequence[Contrast], arms: Mapping[str, Tried]) -> Verdict:
  """The verdict: supported where every contrast is, refuted where one is.

  A contrast is supported where the whole interval of the mean paired difference lies above what it
  must exceed, refuted where it lies below, else the runs cannot tell. The intervals are widened so
  that they hold together with probability LEVEL (Bonferroni).

  Args:
    contrasts: of the claim.
    arms: the runs of each arm.
  """
  chosen = {name: best(tried) for name, tried in arms.items()}
  runs = {name: tried[chosen[name]] for name, tried in arms.items()}
  values: Values = {}
  for one in contrasts:
    known = values.setdefault(one.measure.name, {})
    for arm in (one.first, one.second):
      known.setdefault(arm, _numbers(one, runs[arm]))
  every = [run for tried in arms.values() for some in tried for run in some.values()]
  lost = {run.folder: run for run in every if run.state != "done"}
  tuned = {name: index for name, index in chosen.items() if len(arms[name]) > 1}
  return weigh(contrasts, values)._replace(chosen=tuned, lost=list(lost.values()))


def weigh(contrasts: Sequence[Contrast], values: Values) -> Verdict:
  """The verdict on numbers, as `judge` gives it on runs."""
  level = 1 - (1 - LEVEL) / len(contrasts)
  findings = []
  for one in contrasts:
    known = values[one.measure.name]
    difference = statistics.paired(known[one.first], known[one.second], level)
    findings.append(decide(one, difference))
  words = {finding.verdict for finding in findings}
  word: Word = "underpowered"
  if "refuted" in words:
    word = "refuted"
  elif words == {"supported"}:
    word = "supported"
  return Verdict(word, findings, {}, values, [])


def decide(contrast: Contrast, difference: Difference) -> Finding:
  """The finding of one contrast."""
  if difference.low is None or difference.high is None:
    why = "no common seeds that are done"
    if difference.n == 1:
      why = "one seed gives no verdict"
    elif difference.n > 1:
      why = "the differences have no spread, which allows no interval"
      if contrast.measure.exact:
        word = "supported" if (difference.mean or 0.0) > contrast.exceeds else "refuted"
        return Finding(contrast, difference, word, "")
    return Finding(contrast, difference, "underpowered", why)
  if difference.low > contrast.exceeds:
    return Finding(contrast, difference, "supported", "")
  if difference.high < contrast.exceeds:
    return Finding(contrast, difference, "refuted", "")
  return Finding(contrast, difference, "underpowered", "the interval holds both")


def best(tried: Tried) -> int:
  """Which of what was tried for an arm has the best mean validation accuracy.

  Only those count of which every run is done, if there is one; the test images are not asked.
  """
  if len(tried) == 1:
    return 0

  def mean(some: Mapping[int, Run]) -> float:
    found = [run.summary.get("metrics", {}).get(TUNED_BY) for run in some.values()]
    if not found or None in found:
      return -1.0
    return sum(found) / len(found)

  return max(range(len(tried)), key=lambda index: mean(tried[index]))


def _numbers(contrast: Contrast, runs: Mapping[int, Run]) -> dict[int, float]:
  found = {
    seed: contrast.measure.of(run) for seed, run in sorted(runs.items()) if run.state == "done"
  }
  return {seed: value for seed, value in found.items() if value is not None}
