"""What the gallery's page says of each claim, from its verdict. No JAX here."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jaxnets.claims import ledger, said, static
from jaxnets.claims.claim import Row
from jaxnets.claims.judge import Finding, Verdict
from jaxnets.claims.study import Claim, Size, Study, Trial
from jaxnets.claims.trained import CLAIMS
from jaxnets.claims.verdicts import Judged
from jaxnets.report import gallery, words
from jaxnets.report.costs import hardware_of
from jaxnets.report.figures.contrast import Forest, Interval, Strip
from jaxnets.report.gallery import Asides, Screen
from jaxnets.runs import Run, own_seconds


def make(
  size: Size,
  judged: Judged,
  alike: Mapping[str, Sequence[str]],
  workdir: Path,
  out: Path,
) -> Path:
  """Writes the gallery of the claims that were run at a size; its page.

  Args:
    size: of the studies.
    judged: at that size.
    alike: what to say of other sizes, by claim.
    workdir: the sweep's folder.
    out: the folder of the page.
  """
  screens, every = [], {}
  for name, verdict in judged.verdicts.items():
    own = {run.folder: run for tried in judged.runs[name].values() for some in tried
           for run in some.values()}  # fmt: skip
    every |= own
    folders = sorted(f"{os.path.relpath(path, out)}/" for path in own)
    if isinstance(CLAIMS[name].study(size), Trial):
      folders = [os.path.relpath(workdir / ledger.NAME, out)]
    shown = screen(CLAIMS[name], size, verdict, folders)
    screens.append(shown._replace(notes=[*shown.notes, *alike.get(name, ())]))
  numbers = list(said.table(judged, size, workdir, alike))
  return gallery.make(
    screens, _facts(size, list(every.values())), numbers, out, asides=_asides(static.rows())
  )


def _asides(rows: Sequence[Row]) -> Asides:
  """What is told otherwise than it is; of what holds, the number of sentences."""
  other = [row for row in rows if row.verdict != "holds"]
  return Asides(
    [(row.sentence, row.usual, row.found, row.by, row.verdict, row.note) for row in other],
    f"{len(rows) - len(other)} more sentences hold. All of them, counted anew: "
    "python launch.py claims static",
  )


def _facts(size: Size, runs: Sequence[Run]) -> list[tuple[str, str]]:
  """What stands at the top of the page."""
  states = Counter(run.state for run in runs)
  seeds = sorted({run.config["seed"] for run in runs if "seed" in run.config})
  seconds = sum(map(own_seconds, runs))

  def found(name: str) -> str:
    return ", ".join(sorted({str(run.record[name]) for run in runs if name in run.record}))

  hardware = {hardware_of(run) for run in runs if "devices" in run.record}
  return [
    ("size", size),
    ("runs", ", ".join(f"{count} {state}" for state, count in states.items())),
    ("seeds", ", ".join(map(str, seeds))),
    ("time of all runs", words.duration(seconds)),
    ("hardware", "; ".join(sorted(hardware))),
    ("kernels", found("kernels")),
    ("code hash", found("code")),
  ]


def screen(claim: Claim, size: Size, verdict: Verdict, folders: Sequence[str]) -> Screen:
  """The screen of a claim.

  Args:
    claim: that was run.
    size: of its study.
    verdict: on it.
    folders: of its runs, or the file of its numbers, as links from the page.
  """
  study = claim.study(size)
  every = {seed for arms in verdict.values.values() for own in arms.values() for seed in own}
  flags = f" --seeds={','.join(map(str, sorted(every)))}" if every else ""
  # Trials, and all of the smallest size, have the embedded digits.
  flags += " --data_dir=DATA" if isinstance(study, Study) and size != "cpu" else ""
  return Screen(
    id=claim.id,
    sentence=claim.sentence,
    verdict=verdict.word,
    told=(
      ("Source", claim.source),
      ("What it says", claim.says),
      *([("Told, and wrong", claim.misconception)] if claim.misconception else []),
      ("Tested here", claim.hypothesis),
      ("Expected", claim.expected),
    ),
    findings=[(one.verdict, said.finding(one)) for one in verdict.findings],
    notes=said.notes(study, verdict),
    strips=list(_strips(verdict)),
    forests=list(_forests(verdict)),
    command=f"python launch.py claims run {claim.id} --size={size}{flags} --workdir=DIR",
    folders=folders,
  )


def _strips(verdict: Verdict) -> Iterator[Strip]:
  """The runs of each measure, once; the arms in one order, and each in its colour throughout."""
  order = list(dict.fromkeys(arm for arms in verdict.values.values() for arm in arms))
  measures = {one.contrast.measure.name: one.contrast.measure for one in verdict.findings}
  for name, arms in verdict.values.items():
    values = {arm: list(arms[arm].values()) for arm in order if arm in arms}
    colours = [order.index(arm) for arm in values]
    measure = measures.get(name)
    if measure is None:  # what no contrast names is shown as it is
      yield Strip(name, values, colours, logarithmic=False)
    else:
      yield Strip(measure.axis, values, colours, measure.logarithmic)


def _forests(verdict: Verdict) -> Iterator[Forest]:
  """The intervals of each unit, numbered as the findings."""
  units = dict.fromkeys(one.contrast.measure.unit for one in verdict.findings)
  for unit in units:
    own = [
      (number, one)
      for number, one in enumerate(verdict.findings, start=1)
      if one.contrast.measure.unit == unit
    ]
    intervals = [_interval(str(number), one) for number, one in own]
    yield Forest(unit, intervals, own[0][1].contrast.measure.logarithmic)


def _interval(name: str, one: Finding) -> Interval:
  """As it is told: what is to stay below a limit is kept as its opposite."""
  sign, _ = said.rule_of(one.contrast)
  low, high = (one.difference.low, one.difference.high)[::sign]
  mean, low, high = (None if v is None else sign * v for v in (one.difference.mean, low, high))
  return Interval(name, mean, low, high, sign * one.contrast.exceeds)
