"""What is told about these nets, checked.

    python launch.py claims static                          # what arithmetic and tables decide
    python launch.py claims list [ID ...] --size=cpu        # what training decides, and how
    python launch.py claims run [ID ...] --size=cpu --workdir=runs/claims
    python launch.py claims report runs/claims [DIR ...]    # the verdicts

static: sentences with the number that they are told with, ours from traced nets or what the
papers print, the verdict and its source. Exit code 1 when ours are not those of the verdict.

run: trains what is missing for the named claims, or for all. cpu is the embedded digits, laptop a
minute of CIFAR-10 a run, gpu CIFAR-10 by the paper's recipe, pod ImageNet. The same command again
goes on. No verdict comes from one seed.

report: of --size in the first folder, with --seeds of those; where it or another folder holds
another size, whether both put the arms in the same order.
"""

import logging
import shlex
import shutil
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets import memory
from jaxnets.cli import claim_runs, reading, sweep, table
from jaxnets.errors import ConfigError, DataError, did_you_mean

log = logging.getLogger("jaxnets")

# Flags that say how cells are run.
RUNNING = ("dry_run", "probe", "jobs", "members", "retry_failed", "fail_fast", "max_hours", "shard",
           "track")  # fmt: skip
COLUMNS = 100  # where text is wrapped on wider terminals


def define(values: flags.FlagValues) -> None:
  """The flags of this verb: those of running cells, and the size."""
  sweep.define_running(values)
  flags.DEFINE_string("out", None, "folder of the report's page; else gallery in the runs' folder",
                      flag_values=values)  # fmt: skip
  flags.DEFINE_enum("size", "cpu", ["cpu", "laptop", "gpu", "pod"], "of the studies",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_bool("page", True, "with report: write the page too", flag_values=values)


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Does what the first word says."""
  kinds = {"static": _static, "list": _list, "run": _run, "measure": claim_runs.measure,
           "report": _report}  # fmt: skip
  if not arguments or arguments[0] not in kinds:
    got = " ".join(arguments[:1])
    what = f'there is no claims "{got}".{did_you_mean(got, kinds)}' if got else "which claims?"
    raise ConfigError(f"{what}\nThere are: {', '.join(f'claims {kind}' for kind in kinds)}")
  kind, *rest = arguments
  if kind not in ("run", "measure"):
    vain = [name for name in RUNNING if values[name].present]
    if vain:
      raise ConfigError(
        f"claims {kind} runs nothing\nLeave out {', '.join(f'--{n}' for n in vain)}"
      )
  if kind == "static" and rest:
    raise ConfigError(f'claims static takes no "{rest[0]}"\nAll: python launch.py claims static')
  return kinds[kind](values, rest)


def _static(values: flags.FlagValues, names: list[str]) -> int:
  """Prints one row per sentence that arithmetic, or a table of a paper, decides."""
  del names
  from jaxnets.claims import static
  from jaxnets.claims.claim import changed, check

  with memory.uncollected():
    rows = static.rows(check)
  if values.format == "text":
    parts = (
      (row.sentence, {"told": row.usual, row.by: row.found,
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
  """Prints the claims that training decides, and what decides them at a size."""
  from jaxnets.claims import said
  from jaxnets.claims.study import find
  from jaxnets.claims.trained import CLAIMS

  chosen = [find(CLAIMS, name) for name in names] or list(CLAIMS.values())
  if values.format == "text":
    parts = (
      (f"{one.id}  {one.sentence}",
       {"source": one.source, "says": one.says}
       | ({"wrong": one.misconception} if one.misconception else {})
       | {"tested": one.hypothesis, "expected": one.expected, "sizes": said.sizes(one)}
       | said.design(one.study(values.size)))
      for one in chosen
    )  # fmt: skip
    print("\n".join(_text(parts)))
    return 0
  fields = ("id", "sentence", "source", "says", "misconception", "hypothesis", "expected")
  rows = []
  for one in chosen:
    design = said.design(one.study(values.size))
    rows.append({field: getattr(one, field) for field in fields} | {
      "sizes": said.sizes(one), "size": values.size, "arms": design.pop("arms", ""),
      "seeds": design.pop("seeds", ""), "must": "; ".join(design.values()),
    })  # fmt: skip
  table.show(rows, values.format)
  return 0


def _run(values: flags.FlagValues, names: list[str]) -> int:
  """Runs what is missing of the claims' cells, and prints the verdicts."""
  from jaxnets import data
  from jaxnets.claims import ledger
  from jaxnets.claims.study import Beyond, Trial, find
  from jaxnets.claims.trained import CLAIMS
  from jaxnets.classical import packages
  from jaxnets.sweep import equal

  chosen = [find(CLAIMS, name) for name in names] or _possible(CLAIMS.values(), values.size)
  sweep.trackers(values)
  sweep.check_workdir(values)
  if values.probe and not values.dry_run:
    raise ConfigError("--probe times steps for --dry_run\nAdd --dry_run, or leave --probe out")
  seeds = None if values.seeds is None else sweep.seeds_of(values.seeds)
  planned = ledger.plan(
    chosen, values.size, seeds, lambda base: equal.make_solve(base, values.data_dir)
  )
  studies = {one.id: one.study(values.size) for one in chosen}
  hours = values.max_hours
  ends = time.monotonic() + (float("inf") if hours is None else 3600 * hours)
  for name, study in studies.items():
    if isinstance(study, Beyond):
      log.warning("%s is not decided at this size: %s", name, study.why)
  code = 0
  if not values.dry_run:
    if planned.pipelines:
      packages.require()
    for dataset in {cell.config.data.name for cell in (*planned.cells, *planned.pipelines)}:
      data.info(dataset, values.data_dir)  # before anything is written
    ledger.write(Path(values.workdir), values.size, planned.declared)
    trials = {name: study for name, study in studies.items() if isinstance(study, Trial)}
    for name, trial in trials.items():  # all, before the first: what is killed has no verdict
      planned_seeds = range(trial.seeds) if seeds is None else seeds
      ledger.plan_trial(Path(values.workdir), values.size, name, trial, planned_seeds)
    # Of several shards the first measures, and runs what is no net.
    if values.shard is None or values.shard.startswith("1/"):
      code = claim_runs.in_a_process(values, list(trials), ends) if trials else 0
      if code in (75, 130):
        return code
      code = claim_runs.hand_made(values, planned.pipelines, ends) or code
  else:
    _unpriced(studies, planned)
  if not planned.cells:
    if values.dry_run:
      raise ConfigError("these claims train no nets: there is nothing to price")
    return code
  if hours is not None:
    values.max_hours = max(0.0, ends - time.monotonic()) / 3600
  base = planned.cells[0].config
  spec = f"claims run {' '.join(names)} --size={values.size}".replace("  ", " ")
  ended = sweep.run_cells(
    values, spec, "What is told of these nets?", base, planned.cells, then="claims report",
    may_diverge=ledger.tried(planned.declared),
  )  # fmt: skip
  return ended or code


def _unpriced(studies: Mapping[str, Any], planned: Any) -> None:
  """Says what of the claims trains no nets, and so is in no price."""
  from jaxnets.claims.study import Trial
  from jaxnets.report.words import counted

  trials = [name for name, study in studies.items() if isinstance(study, Trial)]
  if trials:
    log.warning("not priced, measured without training: %s", ", ".join(trials))
  if planned.pipelines:
    log.warning("not priced: %s of hand-made features", counted(len(planned.pipelines), "pipeline"))


def _possible(claims: Iterable[Any], size: Any) -> list[Any]:
  """All claims; without scikit-learn and scikit-image those that train nets only."""
  from jaxnets.claims.study import needs_pipelines
  from jaxnets.classical import packages

  chosen = list(claims)
  try:
    packages.require()
  except DataError as error:
    left = [one.id for one in chosen if needs_pipelines(one.study(size))]
    log.warning("%s left out: %s", ", ".join(left), str(error).replace("\n", ": "))
    chosen = [one for one in chosen if one.id not in left]
  return chosen


def _report(values: flags.FlagValues, names: list[str]) -> int:
  """Prints the verdicts on the claims that were run in a folder, and writes the gallery."""
  from jaxnets.claims import agreement, said, verdicts
  from jaxnets.claims.trained import CLAIMS
  from jaxnets.report.words import counted

  workdirs = reading.folders(values, names, "claims report")
  for workdir in workdirs:
    if not workdir.is_dir():
      raise ConfigError(f"there is no folder {workdir}\nIt is the --workdir of claims run")
  seeds = None if values.seeds is None else sweep.seeds_of(values.seeds)
  judged = verdicts.read(workdirs[0], values.size, seeds)
  alike: dict[str, list[str]] = {}
  for one in agreement.of_folders(workdirs, values.size, judged.verdicts):
    alike.setdefault(one.claim, []).append(agreement.say(one))
  if values.format != "text":
    table.show(list(said.table(judged, values.size, workdirs[0], alike)), values.format)
    return 0
  parts = (
    (f"{name}  {CLAIMS[name].sentence}: {verdict.word}",
     _below(name, verdict, values.size, alike.get(name, ())))
    for name, verdict in judged.verdicts.items()
  )  # fmt: skip
  print("\n".join(_text(parts)))
  count = Counter(verdict.word for verdict in judged.verdicts.values())
  words = ", ".join(f"{n} {word}" for word, n in count.most_common())
  print(f"{counted(len(judged.verdicts), 'claim')}: {words}")
  print(f"runs: {workdirs[0]}; --format=csv names those of each line")
  for words in _going_on(values, workdirs[0], judged):
    print(f"go on: python launch.py {shlex.join(words)}")
  return _gallery(values, workdirs[0], judged, alike) if values.page else 0


def _going_on(values: flags.FlagValues, workdir: Path, judged: Any) -> Iterator[list[str]]:
  """Commands for what is unfinished, one for all claims that lack the same."""
  from jaxnets.claims import verdicts

  lacks: dict[verdicts.Lack, list[str]] = {}
  for name, verdict in judged.verdicts.items():
    if verdict.word == "unfinished":
      lacks.setdefault(verdicts.lack(judged, name, workdir, values.size), []).append(name)
  for lack, names in lacks.items():
    words = ["claims", "run", *names, f"--size={values.size}"]
    seeds = values.seeds or ",".join(map(str, lack.seeds))
    data_dir = values.data_dir or lack.data_dir
    words += [f"--seeds={seeds}"] if seeds else []
    words += ["--retry_failed"] if lack.again else []
    words += [f"--data_dir={data_dir}"] if data_dir else []
    yield [*words, f"--workdir={workdir}"]


def _gallery(values: flags.FlagValues, workdir: Path, judged: Any, alike: Any) -> int:
  """Writes the page of the claims; without its packages the verdicts above stand alone."""
  from jaxnets.report import place

  out = Path(values.out) if values.out else workdir / "gallery"
  try:
    place.check(out)
  except DataError as error:
    if values.out:
      raise
    print(f"no page: {error}", file=sys.stderr)
    return 0
  from jaxnets.claims import gallery

  page = gallery.make(values.size, judged, alike, workdir, out)
  print(page)
  return 0


def _below(name: str, verdict: Any, size: Any, alike: Sequence[str]) -> dict[str, str]:
  """What the text says below a claim."""
  from jaxnets.claims import said
  from jaxnets.claims.trained import CLAIMS

  study = CLAIMS[name].study(size)
  lines = {str(i): said.finding(one) for i, one in enumerate(verdict.findings, start=1)}
  notes = said.notes(study, verdict)
  lines |= {"notes": "; ".join(notes)} if notes else {}
  return lines | ({"sizes": "; ".join(alike)} if alike else {})


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
