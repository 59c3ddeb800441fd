"""Verdicts on trained claims in words. No JAX here."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxnets.claims import ledger
from jaxnets.claims.judge import Finding, Tried, Verdict
from jaxnets.claims.study import SIZES, Beyond, Claim, Contrast, Size, Study, Trial
from jaxnets.claims.trained import CLAIMS
from jaxnets.claims.verdicts import Judged

# Of a row of `table`.
FIELDS = ("claim", "verdict", "contrast", "found", "measure", "unit", "first", "second", "must",
          "limit", "difference", "low", "high", "n", "lost", "why", "sizes", "runs")  # fmt: skip


def finding(one: Finding) -> str:
  """What was found of a contrast, with its numbers.

  "plain-56 trains worse: supported, training error, plain-56 against plain-20: +24.28 points
  (+15.85 to +32.71 points, n = 5)".
  """
  contrast, difference = one.contrast, one.difference
  text = f"{contrast.says}: {one.verdict}"
  if difference.mean is not None:
    ends = [end for end in (difference.low, difference.high) if end is not None]
    # A number that is to stay below a limit is kept as its opposite.
    sign, rule = rule_of(contrast)
    mean, *between = (sign * value + 0.0 for value in (difference.mean, *ends))  # no -0
    say = contrast.measure.say
    text += f", {contrast.measure.name}, {_who(contrast)}: {say(mean)} ("
    text += f"{say(*sorted(between))}, " if len(ends) == 2 else ""
    text += f"n = {difference.n}"
    limited = contrast.exceeds or contrast.second is None
    text += f", must {rule} {say(sign * contrast.exceeds)})" if limited else ")"
  return f"{text}; {one.why}" if one.why else text


def criterion(contrast: Contrast) -> str:
  """ "B trains worse: training error, B against A, must exceed +5.00 points"."""
  sign, rule = rule_of(contrast)
  limit = contrast.measure.say(sign * contrast.exceeds + 0.0)
  return f"{contrast.says}: {contrast.measure.name}, {_who(contrast)}, must {rule} {limit}"


def sizes(claim: Claim) -> str:
  """ "cpu, laptop, gpu; not decided at pod": the sizes of a claim."""
  beyond = [size for size in SIZES if isinstance(claim.study(size), Beyond)]
  decided = ", ".join(size for size in SIZES if size not in beyond)
  return f"{decided}; not decided at {', '.join(beyond)}" if beyond else decided


def design(study: Study | Trial | Beyond) -> dict[str, str]:
  """What decides a claim at a size, by what it is: arms, seeds, and criteria by their number."""
  if isinstance(study, Beyond):
    return {"beyond": study.why}
  arms = dict.fromkeys(arm for one in study.contrasts for arm in (one.first, one.second) if arm)
  names = dict.fromkeys(arms, 1)
  if isinstance(study, Study):
    names |= {name: len(arm.tried) for name, arm in study.arms.items()}
  said = (f"{name} (best of {n})" if n > 1 else name for name, n in names.items())
  criteria = {str(i): criterion(one) for i, one in enumerate(study.contrasts, start=1)}
  notes = {"but": "; ".join(own)} if (own := bounds(study)) else {}
  return {"arms": "; ".join(said), "seeds": str(study.seeds), **criteria} | notes


def _who(contrast: Contrast) -> str:
  """Whose number, or whose against whose: a difference, or a ratio."""
  if contrast.first and contrast.second:
    return f"{contrast.second} against {contrast.first}"
  return contrast.first or contrast.second or ""


def notes(study: Study | Trial | Beyond, verdict: Verdict) -> list[str]:
  """What has to be known beside the findings."""
  if isinstance(study, Beyond):
    return [f"not decided at this size: {study.why}"]
  own = [study.note] if study.note else []
  return [*own, *bounds(study), *tuned(study, verdict), *lost(verdict)]


def bounds(study: Study | Trial) -> list[str]:
  """What a size cannot show whatever its runs say."""
  if isinstance(study, Trial):
    return []
  why = {"refute": study.cannot_refute, "support": study.cannot_support}
  return [f"this size cannot {verb} the sentence: {text}" for verb, text in why.items() if text]


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
  """ "without: 2 diverged"; runs that count in no number, by arm.

  Of an arm with a choice all runs of what was chosen are done.
  """
  lines = []
  for arm, runs in verdict.lost.items():
    states = Counter(run.state for run in runs)
    of = " of what was tried and not chosen" if arm in verdict.chosen else ""
    lines.append(f"{arm}: {', '.join(f'{n} {state}' for state, n in states.items())}{of}")
  return lines


def table(
  judged: Judged, size: Size, workdir: Path, alike: Mapping[str, Sequence[str]]
) -> Iterator[dict[str, Any]]:
  """The numbers of every contrast, as `finding` tells them: `times` are ratios.

  A claim that a size cannot decide has one row, that says why. `runs` are folders, as from workdir,
  or for a trial the file of its numbers;
  `sizes` is what `alike` says of the claim at other sizes.
  """
  for name, verdict in judged.verdicts.items():
    study, sizes = CLAIMS[name].study(size), "; ".join(alike.get(name, ()))
    if isinstance(study, Beyond):
      yield dict.fromkeys(FIELDS) | {
        "claim": name, "verdict": verdict.word, "found": verdict.word, "n": 0, "lost": 0,
        "why": study.why, "sizes": sizes,
      }  # fmt: skip
    for one in verdict.findings:
      folders = _folders(verdict, one, judged.runs[name], workdir) or [ledger.NAME]
      yield _row(name, verdict, one) | {"sizes": sizes, "runs": "; ".join(folders)}


def _row(name: str, verdict: Verdict, one: Finding) -> dict[str, Any]:
  contrast, difference = one.contrast, one.difference
  sign, rule = rule_of(contrast)

  def shown(value: float | None) -> float | None:
    if value is None:
      return None
    return math.exp(sign * value) if contrast.measure.logarithmic else sign * value + 0.0

  low, high = map(shown, (difference.low, difference.high)[::sign])
  # Of an arm with a choice none is lost that counts: see `lost`.
  arms = {arm for arm in (contrast.first, contrast.second) if arm not in verdict.chosen}
  lost = sum(len(runs) for arm, runs in verdict.lost.items() if arm in arms)
  values = (
    name, verdict.word, contrast.says, one.verdict, contrast.measure.name, contrast.measure.unit,
    contrast.first or "", contrast.second or "", rule, shown(contrast.exceeds),
    shown(difference.mean), low, high, difference.n, lost, one.why,
  )  # fmt: skip
  return dict(zip(FIELDS[:-2], values, strict=True))


def rule_of(contrast: Contrast) -> tuple[int, str]:
  """The sign with which numbers are told, and what they must: see `Contrast`."""
  return (1, "exceed") if contrast.second else (-1, "stay below")


def _folders(
  verdict: Verdict, one: Finding, arms: Mapping[str, Tried], workdir: Path
) -> Sequence[str]:
  """The runs that are compared; of an arm for which something is chosen, those of that."""
  found = []
  for arm in filter(None, (one.contrast.first, one.contrast.second)):
    tried = arms.get(arm, [])
    if arm in verdict.chosen:
      tried = [tried[verdict.chosen[arm]]]
    found += [os.path.relpath(run.folder, workdir) for own in tried for run in own.values()]
  return found
