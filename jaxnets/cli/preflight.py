"""What `sweep --dry_run` prints. Not a verb."""

import logging
import tempfile
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.cli.clock import clock
from jaxnets.cli.cost_rows import human

log = logging.getLogger("jaxnets")


def show(values: flags.FlagValues, spec: str, base: Any, cells: list[Any]) -> int:
  """A row for each cell, and what all of them need. Nothing is written."""
  from jaxnets.sweep import preflight, shares

  share = shares.divide(values.jobs, values.threads, len(cells))
  prices = preflight.price(cells, values.data_dir, share)
  probes = probe(values, spec, base, cells, share.environments) if values.probe else {}
  table.show([_row(one, probes) for one in prices], values.format)
  if values.format != "text":
    return 0
  seeds = len({cell.config.seed for cell in cells})
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
    f"{seeds} seeds can find a difference of {effect:.2f} standard deviations (of the paired "
    "differences; power 0.8, level 0.05)"
    if effect
    else "one seed allows no interval and no verdict: --seeds=0:5"
  )
  if probes:
    seconds = preflight.total_seconds(cells, probes, jobs)
    untimed = sum(cell.program not in probes for cell in cells)
    but = f", but for {untimed} cells that could not be timed" if untimed else ""
    print(f"predicted: {clock(seconds)} here, {values.probe} steps of each program were timed{but}")
  else:
    print("hours: --probe=20 times twenty steps of each program")
  return 0


def probe(
  values: flags.FlagValues, spec: str, base: Any, cells: list[Any], environments: list[Any]
) -> dict[str, Any]:
  """Times each program once, with as many workers at a time as the sweep will have."""
  from jaxnets.cli.sweep import passed_on
  from jaxnets.sweep import dispatch, folder, preflight

  first = {cell.program: cell for cell in reversed(cells)}
  first = {program: first[program] for program in dict.fromkeys(c.program for c in cells)}
  found = {}
  with tempfile.TemporaryDirectory() as place:
    folder.write(Path(place), spec, "", base, list(first.values()))
    settings = dispatch.Settings(
      Path(place), environments,
      [*passed_on(values), f"--probe={values.probe}"],
    )  # fmt: skip
    log.info("timing %d programs ...", len(first))
    rows = folder.read(Path(place)).cells
    # As busy as in the sweep: a program that is alone has a twin beside it.
    rows = rows * len(environments) if len(rows) < len(environments) else rows
    for outcome in dispatch.local(rows, settings):
      if outcome.state != "done":
        log.warning("%s could not be timed: %s", outcome.row["folder"], outcome.error)
      else:
        found[outcome.row["program"]] = preflight.Probe(**(outcome.facts or {}))
  return found


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
