"""What is told about these nets, checked.

    python launch.py claims static                          # what arithmetic decides
    python launch.py claims list                            # what training decides
    python launch.py claims run [ID ...] --size=cpu --workdir=runs/claims
    python launch.py claims report runs/claims              # the verdicts

static: sentences with the number that they are told with, ours from traced nets, the verdict and
its source. Exit code 1 when ours are not those of the verdict.

run: trains what is missing for the named claims, or for all; cpu is the embedded digits on a CPU,
gpu CIFAR-10, pod ImageNet. The same command again goes on. No verdict comes from one seed.
"""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any

from absl import flags

from jaxnets import memory
from jaxnets.cli import reading, sweep, table
from jaxnets.errors import ConfigError, did_you_mean

COLUMNS = 100  # where text is wrapped on wider terminals


def define(values: flags.FlagValues) -> None:
  """The flags of this verb: those of running cells, and the size."""
  sweep.define_running(values)
  flags.DEFINE_enum("size", "cpu", ["cpu", "gpu", "pod"], "of the studies", flag_values=values)


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Does what the first word says."""
  kinds = {"static": _static, "list": _list, "run": _run, "report": _report}
  if not arguments or arguments[0] not in kinds:
    got = " ".join(arguments)
    what = f'there is no claims "{got}".{did_you_mean(got, kinds)}' if got else "which claims?"
    raise ConfigError(f"{what}\nThere are: {', '.join(f'claims {kind}' for kind in kinds)}")
  kind, *rest = arguments
  if kind in ("static", "list") and rest:
    raise ConfigError(f'claims {kind} takes no "{rest[0]}"\nAll: python launch.py claims {kind}')
  return kinds[kind](values, rest)


def _static(values: flags.FlagValues, names: list[str]) -> int:
  """Prints one row per sentence that arithmetic decides."""
  del names
  from jaxnets.claims.claim import changed, check
  from jaxnets.claims.static import CLAIMS

  with memory.uncollected():
    rows = [check(claim) for claim in CLAIMS]
  if values.format == "text":
    parts = (
      (row.sentence, {"told": row.usual, "counted": row.ours,
                      "verdict": f"{row.verdict}. {row.note}"})
      for row in rows
    )  # fmt: skip
    print("\n".join(_text(parts)))
  else:
    table.show([row._asdict() for row in rows], values.format)
  different = sum(map(changed, rows))
  count = Counter(row.verdict for row in rows if not changed(row))
  verdicts = ", ".join(f"{number} {verdict}" for verdict, number in count.most_common())
  print(f"{len(rows)} sentences: {verdicts}, {different} changed", file=sys.stderr)
  return 1 if different else 0


def _list(values: flags.FlagValues, names: list[str]) -> int:
  """Prints the claims that training decides."""
  del names
  from jaxnets.claims.trained import CLAIMS

  if values.format == "text":
    parts = (
      (f"{one.id}  {one.sentence}", {"source": one.source, "says": one.says,
                                     "tested": one.hypothesis, "expected": one.expected})
      for one in CLAIMS.values()
    )  # fmt: skip
    print("\n".join(_text(parts)))
    return 0
  fields = ("id", "sentence", "source", "says", "hypothesis", "expected")
  table.show([{f: getattr(one, f) for f in fields} for one in CLAIMS.values()], values.format)
  return 0


def _run(values: flags.FlagValues, names: list[str]) -> int:
  """Runs what is missing of the claims' cells, and prints the verdicts."""
  from jaxnets.claims import ledger
  from jaxnets.claims.study import find
  from jaxnets.claims.trained import CLAIMS
  from jaxnets.sweep import equal

  chosen = [find(CLAIMS, name) for name in names] or list(CLAIMS.values())
  sweep.trackers(values)
  sweep.check_workdir(values)
  if values.probe and not values.dry_run:
    raise ConfigError("--probe times steps for --dry_run\nAdd --dry_run, or leave --probe out")
  seeds = None if values.seeds is None else sweep.seeds_of(values.seeds)
  planned = ledger.plan(
    chosen, values.size, seeds, lambda base: equal.make_solve(base, values.data_dir)
  )
  base = chosen[0].study(values.size).base
  spec = f"claims run {' '.join(names)} --size={values.size}".replace("  ", " ")
  return sweep.run_cells(
    values, spec, "What is told of these nets?", base, planned.cells, then="claims report",
    begun=lambda workdir: ledger.write(workdir, values.size, planned.arms),
  )  # fmt: skip


def _report(values: flags.FlagValues, names: list[str]) -> int:
  """Prints the verdicts on the claims that were run in a folder."""
  from jaxnets.claims import ledger
  from jaxnets.claims.judge import judge
  from jaxnets.claims.trained import CLAIMS

  (workdir,) = reading.folders(values, names, "claims report")
  seeds = None if values.seeds is None else sweep.seeds_of(values.seeds)
  verdicts = {
    name: judge(
      CLAIMS[name].study(values.size).contrasts, ledger.runs_of(workdir, arms, seeds)
    )
    for name, arms in ledger.read(workdir, values.size).items()
    if name in CLAIMS
  }  # fmt: skip
  if values.format == "text":
    print(
      "\n".join(_text((_head(n, v), _findings(n, v, values.size)) for n, v in verdicts.items()))
    )
    count = Counter(verdict.word for verdict in verdicts.values())
    print(f"{len(verdicts)} claims: {', '.join(f'{n} {word}' for word, n in count.most_common())}")
    return 0
  table.show([row for n, v in verdicts.items() for row in _rows(n, v)], values.format)
  return 0


def _head(name: str, verdict: Any) -> str:
  from jaxnets.claims.trained import CLAIMS

  return f"{name}  {CLAIMS[name].sentence}: {verdict.word}"


def _findings(name: str, verdict: Any, size: Any) -> dict[str, str]:
  """What the text says below a claim."""
  from jaxnets.claims.trained import CLAIMS

  lines = {str(i): say(one) for i, one in enumerate(verdict.findings, start=1)}
  study = CLAIMS[name].study(size)
  for arm, number in verdict.chosen.items():
    tried = study.arms[arm].tried[number]
    lines[arm] = ", ".join(f"{key}={value}" for key, value in tried.items()) + ", on validation"
  if verdict.lost:
    states = Counter(run.state for run in verdict.lost)
    lines["runs"] = f"not done: {', '.join(f'{n} {state}' for state, n in states.items())}"
  return lines | ({"note": study.note} if study.note else {})


def say(finding: Any) -> str:
  """ "plain-56 trains worse than plain-20: supported, +24.3 points (+15.9 to +32.7, n = 5)"."""
  one, difference, measure = finding.contrast, finding.difference, finding.contrast.measure
  text = f"{one.says}: {finding.verdict}"
  if difference.mean is not None:
    text += f", {measure.name} {measure.say(difference.mean)}"
    bounds = (
      f"{measure.say(difference.low, difference.high)}, "
      if difference.low is not None else ""
    )  # fmt: skip
    limit = f", must exceed {measure.say(one.exceeds)}" if one.exceeds else ""
    text += f" ({bounds}n = {difference.n}{limit})"
  return f"{text}; {finding.why}" if finding.why else text


def _rows(name: str, verdict: Any) -> Iterator[dict[str, Any]]:
  for one in verdict.findings:
    difference = one.difference
    yield {
      "claim": name, "verdict": verdict.word, "contrast": one.contrast.says,
      "found": one.verdict, "measure": one.contrast.measure.name,
      "unit": one.contrast.measure.unit, "first": one.contrast.first,
      "second": one.contrast.second, "exceeds": one.contrast.exceeds,
      "difference": difference.mean, "low": difference.low, "high": difference.high,
      "n": difference.n, "lost": len(verdict.lost),
    }  # fmt: skip


def _text(parts: Any) -> Iterator[str]:
  """Each sentence, and below it, indented, what there is to say of it."""
  width = min(COLUMNS, shutil.get_terminal_size().columns)
  for sentence, below in parts:
    yield from textwrap.wrap(sentence, width, subsequent_indent="  ")
    for name, text in below.items():
      yield from textwrap.wrap(
        f"{name:9}{text}", width, initial_indent="    ", subsequent_indent=" " * 13,
        break_on_hyphens=False,
      )  # fmt: skip
    yield ""
