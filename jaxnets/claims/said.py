"""Verdicts on trained claims in words. No JAX here."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from jaxnets.claims.judge import Finding, Verdict
from jaxnets.claims.study import Beyond, Study, Trial


def finding(one: Finding) -> str:
  """ "plain-56 trains worse: supported, training error +24.28 points (+15.85 to +32.71, n = 5)"."""
  contrast, difference = one.contrast, one.difference
  measure = contrast.measure
  text = f"{contrast.says}: {one.verdict}"
  if difference.mean is not None:
    text += f", {measure.name} {measure.say(difference.mean)} ("
    if difference.low is not None and difference.high is not None:
      text += f"{measure.say(difference.low, difference.high)}, "
    text += f"n = {difference.n}"
    text += f", must exceed {measure.say(contrast.exceeds)})" if contrast.exceeds else ")"
  return f"{text}; {one.why}" if one.why else text


def notes(study: Study | Trial | Beyond, verdict: Verdict) -> list[str]:
  """What has to be known beside the findings."""
  if isinstance(study, Beyond):
    return [f"not decided at this size: {study.why}"]
  return [*([study.note] if study.note else []), *tuned(study, verdict), *lost(verdict)]


def tuned(study: Study | Trial, verdict: Verdict) -> list[str]:
  """ "relu: optim.lr=0.03, of 3 that were tried, by validation accuracy"; one an arm."""
  lines = []
  if not isinstance(study, Study):
    return lines
  by = study.tuned_by.name if study.tuned_by else "validation accuracy"
  for arm, number in verdict.chosen.items():
    tried = study.arms[arm].tried
    values = ", ".join(f"{key}={value}" for key, value in tried[number].items())
    lines.append(f"{arm}: {values}, of {len(tried)} that were tried, by {by}")
  return lines


def lost(verdict: Verdict) -> list[str]:
  """ "without: 2 diverged"; runs that count in no number, by arm."""
  lines = []
  for arm, runs in verdict.lost.items():
    states = Counter(run.state for run in runs)
    lines.append(f"{arm}: {', '.join(f'{n} {state}' for state, n in states.items())}")
  return lines


def rows(name: str, verdict: Verdict) -> Iterator[dict[str, Any]]:
  """The numbers of every contrast; differences of `times` are logarithms."""
  for one in verdict.findings:
    contrast, difference = one.contrast, one.difference
    yield {
      "claim": name,
      "verdict": verdict.word,
      "contrast": contrast.says,
      "found": one.verdict,
      "measure": contrast.measure.name,
      "unit": contrast.measure.unit,
      "first": contrast.first or "",
      "second": contrast.second,
      "exceeds": contrast.exceeds,
      "difference": difference.mean,
      "low": difference.low,
      "high": difference.high,
      "n": difference.n,
      "lost": sum(map(len, verdict.lost.values())),
    }
