"""What `sweep --dry_run` prints, and what is timed before cells share a program. Not a verb."""

import logging
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.cli.clock import clock
from jaxnets.cli.cost_rows import human

log = logging.getLogger("jaxnets")

PROBE_STEPS = 10  # of each program, before cells are run as members


def show(values: flags.FlagValues, spec: str, base: Any, cells: list[Any]) -> int:
  """A row for each cell, and what all of them need. Nothing is written."""
  from jaxnets.sweep import folder, plan, preflight, shares

  share = shares.divide(values.jobs, values.threads, len(cells))
  prices = preflight.price(cells, values.data_dir, share)
  probes = {}
  if values.probe:
    with tempfile.TemporaryDirectory() as place:
      folder.write(Path(place), spec, "", base, cells)
      rows = folder.read(Path(place)).cells
      probes = probe(values, Path(place), rows, share, values.probe)
  table.show([_row(one, probes) for one in prices], values.format)
  if values.format != "text":
    return 0
  counts = preflight.seeds_of_each(cells)
  seeds, each = min(counts), "" if len(set(counts)) == 1 else ", the fewest of a group,"
  jobs = len(share.environments)
  print(f"{len(cells)} cells, {len({p.group for p in prices})} compiled programs, {jobs} at a time")
  unfit = [one for one in prices if not one.fits]
  if unfit:
    print(
      f"{len(unfit)} cells need more than the {human(share.memory)} each of {jobs} workers has: "
      "fewer --jobs, a smaller train.batch"
    )
  effect = preflight.smallest_effect(seeds)
  print(
    f"{seeds} seeds{each} can find a difference of {effect:.2f} standard deviations (of the paired "
    "differences; power 0.8, level 0.05)"
    if effect
    else "one seed allows no interval and no verdict: --seeds=0:5"
  )
  timings = {p: one.members for p, one in probes.items() if one.members}
  for one in prices:
    if timing := timings.pop(one.cell.program, None):
      print(f"program {one.group}: {plan.describe(timing)}")
  if probes:
    seconds = preflight.total_seconds(cells, probes, jobs)
    untimed = sum(cell.program not in probes for cell in cells)
    but = f", but for {untimed} cells that could not be timed" if untimed else ""
    print(f"predicted: {clock(seconds)} here, {values.probe} steps of each program were timed{but}")
  else:
    print("hours: --probe=20 times twenty steps of each program")
  return 0


def probe(
  values: flags.FlagValues, workdir: Path, rows: Sequence[Any], share: Any, steps: int
) -> dict[str, Any]:
  """Times each program once, with as many workers at a time as the sweep will have.

  With --members also as many members as it will have. Nothing is written into `workdir`.
  """
  from jaxnets.cli.cell import passed_on
  from jaxnets.sweep import dispatch, plan, preflight

  first = {row["program"]: row for row in reversed(rows)}
  first = {program: first[program] for program in dict.fromkeys(r["program"] for r in rows)}
  sizes = sizes_of(rows, plan.parse(values.members)[0], share)
  log.info("timing %d programs ...", len(first))
  found = {}
  for size in sorted(set(sizes.values())):
    settings = dispatch.Settings(
      workdir, share.environments,
      [*passed_on(values), f"--probe={steps}", f"--members={size}"],
    )  # fmt: skip
    some = [row for program, row in first.items() if sizes[program] == size]
    # As busy as in the sweep: a program that is alone has a twin beside it.
    busy = len(share.environments)
    for outcome in dispatch.local(some * busy if len(some) < busy else some, settings):
      if outcome.state != "done":
        log.warning("%s could not be timed: %s", outcome.row["folder"], outcome.error)
        continue
      one = preflight.Probe(**(outcome.facts or {}))
      timing = plan.Timing(*one.members) if one.members else None
      found[outcome.row["program"]] = one._replace(members=timing)
  return found


def plans_of(
  values: flags.FlagValues, workdir: Path, rows: Sequence[Any], share: Any
) -> dict[str, Any]:
  """The plans of the programs that are run with several members, with --members; says all.

  What was decided for a program in this folder before stays.
  """
  from jaxnets.sweep import plan

  most, form = plan.parse(values.members)
  known = plan.read(workdir, values.members)
  sizes = sizes_of(rows, most, share)
  new = [row for row in rows if row["program"] not in known and sizes[row["program"]] > 1]
  if new and form:
    named = {row["program"]: plan.Plan(form, sizes[row["program"]]) for row in new}
    known = plan.write(workdir, values.members, named)
  elif new:
    probes = probe(values, workdir, new, share, PROBE_STEPS)
    timings = {program: one.members for program, one in probes.items() if one.members}
    known = plan.write(workdir, values.members, timings)
  plans = {}
  for program in dict.fromkeys(row["program"] for row in rows):
    if program in known:
      cells, found = sum(row["program"] == program for row in rows), known[program]
      if isinstance(found, plan.Plan):
        plans[program], said = found, f"{found.count} members by {found.form}, as named"
      else:
        said = plan.describe(found)
        if chosen := plan.choose(found):
          plans[program] = chosen
      log.info("program %s, %d cells: %s", program[:8], cells, said)
  return plans


def sizes_of(rows: Sequence[Any], most: int, share: Any) -> Mapping[str, int]:
  """How many members each program shall have, of at most `most`."""
  from jaxnets.sweep import plan

  cells = Counter(row["program"] for row in rows)
  workers = len(share.environments)
  return {
    program: plan.size_of(count, most, len(cells), workers, share.devices)
    for program, count in cells.items()
  }


def _row(one: Any, probes: dict[str, Any]) -> dict[str, Any]:
  from jaxnets.sweep import preflight
  from jaxnets.sweep.cells import name

  row = {
    "cell": one.cell.hash[:8],
    "run": name(one.cell.overrides),
    "params": one.params,
    "macs": one.macs,
    "field": one.field,
    "memory": human(one.memory),
    "fits": one.fits,
    "program": one.group,
  }
  found = probes.get(one.cell.program)
  if probes:
    row["time"] = clock(preflight.seconds_of(one.cell.config, found)) if found else None
  return row
