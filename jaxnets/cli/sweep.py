"""Run every cell of a sweep: the experiment's own, or a grid of values, times seeds.

    python launch.py sweep --config=experiments/digits_depth.py --workdir=runs/digits_depth
    python launch.py sweep --config=F --grid=net.depth=20,32,44 --seeds=0:5 --workdir=DIR
    python launch.py sweep ... --dry_run [--probe=20]      # what it would cost; writes nothing
    python launch.py sweep --workdir=DIR --cell=3f2a1c     # one cell, on any host that sees DIR

The same command again does what is missing. A cell that fails stops no other.
"""

import ast
import contextlib
import logging
import signal
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import table
from jaxnets.cli.clock import clock
from jaxnets.cli.configs import Chosen, required
from jaxnets.cli.logs import said_to
from jaxnets.cli.subjects import value_of
from jaxnets.cli.train import define_track, trackers
from jaxnets.errors import ConfigError, StoppedError
from jaxnets.experiment import question_of, sweep_of

log = logging.getLogger("jaxnets")

# Not of one cell.
DECLARING = ("grid", "seeds", "shard", "dry_run", "max_hours", "fail_fast", "jobs")
FAILED = 5  # exit code of a sweep with cells that failed or diverged


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  define_running(values)
  flags.DEFINE_multi_string(
    "grid", [], "KEY=VALUE,VALUE,...: every value of a field; may be repeated", flag_values=values
  )
  flags.DEFINE_string("cell", None, "hash of the one cell to run, here", flag_values=values)
  flags.DEFINE_bool("worker", False, "run cells whose hashes come on standard input",
                    flag_values=values)  # fmt: skip


def define_running(values: flags.FlagValues) -> None:
  """The flags that say how cells are run."""
  define_track(values)
  flags.DEFINE_string("seeds", None, "0:5 for 0 to 4, or a list, 0,1,7", flag_values=values)
  flags.DEFINE_bool("dry_run", False, "say what it would cost, and write nothing",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_integer("probe", None, "with --dry_run: time so many steps of each program",
                       lower_bound=5, flag_values=values)  # fmt: skip
  flags.DEFINE_integer("jobs", None, "cells at a time; else one a GPU, or one a core",
                       lower_bound=1, flag_values=values)  # fmt: skip
  flags.DEFINE_string("members", "1", "up to so many cells in one program, where that is faster; "
                      "8:scan: in that form, untimed", flag_values=values)  # fmt: skip
  flags.DEFINE_bool("retry_failed", False, "run failed and diverged cells again",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_bool("fail_fast", False, "stop at the first cell that fails", flag_values=values)
  flags.DEFINE_float("max_hours", None, "stop, resumably, after so long", lower_bound=0,
                     flag_values=values)  # fmt: skip
  flags.DEFINE_string("shard", None, "i/n: the i-th of n parts of the cells", flag_values=values)


def run(values: flags.FlagValues, arguments: list[str], chosen: Chosen | None) -> int:
  """Runs what is missing of the sweep; prints how many cells are done and which failed."""
  if arguments:
    raise ConfigError(f'sweep takes flags only, not "{arguments[0]}"; values go as --flag=value')
  trackers(values)
  if values.probe and not (values.dry_run or values.worker):
    raise ConfigError("--probe times steps for --dry_run\nAdd --dry_run, or leave --probe out")
  if values.worker or values.cell:
    given = [name for name in DECLARING if values[name].value] + (["config"] if chosen else [])
    if values.cell and given:
      raise ConfigError(
        f"--cell runs a cell as {values.workdir}/sweep.json has it\n"
        f"Leave out {', '.join(f'--{name}' for name in given)}"
      )
    from jaxnets.cli import cell

    return cell.run(values)
  spec, base, _ = required(chosen)
  return run_sweep(values, spec, question_of(spec), base, declared(values, spec))


def declared(values: flags.FlagValues, spec: str) -> list[dict[str, Any]]:
  """The cells of the experiment file, times --grid and --seeds."""
  from jaxnets.sweep import grid

  own = sweep_of(spec, grid)
  if own is None and not values.grid and not values.seeds:
    raise ConfigError(
      f"{spec} declares no sweep (it has no get_sweep)\n"
      "Say what varies: --grid=net.depth=20,32 --seeds=0:3"
    )
  return times(values, [{}] if own is None else grid.plain(own), f"get_sweep of {spec}")


def times(values: flags.FlagValues, own: list[dict[str, Any]], whose: str) -> list[dict[str, Any]]:
  """Cells with every value of --grid and --seeds.

  Raises:
    ConfigError: `whose` cells set one of these fields.
  """
  from jaxnets.sweep import grid

  parts = [grid.sweep(*grid_of(text)) for text in values.grid]
  varied = grid.product([*parts, *([grid.seeds(seeds_of(values.seeds))] if values.seeds else [])])
  twice = sorted({key for cell in own for key in cell} & {key for cell in varied for key in cell})
  if twice:
    raise ConfigError(
      f"{whose} sets {', '.join(twice)} already\nLeave that out of --grid and --seeds"
    )
  return [first | second for first in own for second in varied]


def run_sweep(
  values: flags.FlagValues,
  spec: str,
  question: str,
  base: Any,
  overrides: list[dict[str, Any]],
) -> int:
  """Resolves cells, and runs or prices them."""
  from jaxnets.sweep import cells, equal

  check_workdir(values)
  resolved = cells.resolve(base, overrides, equal.make_solve(base, values.data_dir))
  return run_cells(values, spec, question, base, resolved)


def check_workdir(values: flags.FlagValues) -> None:
  """Asks for the folder of a sweep before anything is done."""
  if not values.workdir and not values.dry_run:
    raise ConfigError(
      "--workdir is missing: where shall the runs be kept?\nFor example --workdir=runs/sweep"
    )


def run_cells(
  values: flags.FlagValues, spec: str, question: str, base: Any, resolved: list[Any],
  then: str = "compare", may_diverge: Collection[str] = (),
) -> int:  # fmt: skip
  """Says how many cells there are, and runs what is missing of them, or prices them.

  Args:
    values: flags, of `define_running`.
    spec: of the experiment.
    question: that it asks.
    base: config.
    resolved: cells.
    then: the command that reads what came out.
    may_diverge: hashes of cells whose divergence is a result, and no failure of the sweep.
  """
  from jaxnets.sweep import dispatch, equal, folder

  rows = [{"hash": cell.hash, "program": cell.program} for cell in resolved]
  chosen = _shard(dispatch.by_program(rows), values.shard)
  hashes = {row["hash"] for row in chosen}
  with said_to():
    programs = len({row["program"] for row in chosen})
    log.info("%d cells, %d programs to compile", len(chosen), programs)
    if values.dry_run:
      from jaxnets.cli import preflight

      return preflight.show(values, spec, base, [c for c in resolved if c.hash in hashes])
    workdir = Path(values.workdir).absolute()
    if (workdir / "run.json").exists():
      raise ConfigError(f"{workdir} holds a single run\nUse another --workdir for the sweep")
    new = [c for c in resolved if not (workdir / c.folder / "config.json").exists()]
    with _heard() as received:
      equal.check_cells([cell for cell in new if cell.hash in hashes], values.data_dir)
      others = folder.write(workdir, spec, question, base, resolved)
      if others:
        log.info("%d cells of an earlier command are kept in %s", others, workdir)
      return _run(values, workdir, hashes, then, received, may_diverge)


def _run(
  values: flags.FlagValues, workdir: Path, hashes: set[str], then: str, received: list[int],
  may_diverge: Collection[str],
) -> int:  # fmt: skip
  from jaxnets import runs
  from jaxnets.cli import preflight
  from jaxnets.cli.cell import passed_on
  from jaxnets.report.words import counted
  from jaxnets.sweep import dispatch, folder, plan, shares

  sweep = folder.read(workdir)
  rows = [row for row in sweep.cells if row["hash"] in hashes]
  again = ("failed", "diverged") if values.retry_failed else ()
  left = []
  for row in rows:
    state = runs.read_run(workdir / row["folder"]).state
    if state in again or state not in ("done", "failed", "diverged"):
      left.append(row)
  many = plan.parse(values.members)[0] > 1
  share = shares.divide(values.jobs, values.threads, len(left)) if left else None
  settings = dispatch.Settings(
    workdir=workdir, flags=passed_on(values),
    environments=share.environments if share else [],
    seconds=3600 * values.max_hours if values.max_hours is not None else float("inf"),
    stopped=lambda: bool(received),
    plans=preflight.plans_of(values, workdir, left, share) if many and left else {},
  )  # fmt: skip
  done, compiled, broken, began = len(rows) - len(left), 0, False, time.monotonic()
  if done:
    log.info("%d of %d cells have ended before", done, len(rows))
  for outcome in dispatch.run(left, settings, dispatch.local):
    place = workdir / outcome.row["folder"]
    compiled += runs.read_run(place).record.get("compile", {}).get("how") == "compiled"
    if outcome.state == "interrupted":
      continue
    done += 1
    if outcome.state == "failed":
      dispatch.note_failure(place, 1, outcome.error)
    _say(outcome, done, len(rows), workdir)
    if values.fail_fast and outcome.state in ("failed", "diverged"):
      broken = True
      break
  log.info("%s compiled for the cells that ran", counted(compiled, "train step"))
  seconds = time.monotonic() - began
  return _end(values, sweep, rows, received, broken, seconds, then, may_diverge)


def _end(
  values, sweep, rows, received: list[int], broken: bool, seconds: float, then: str,
  may_diverge: Collection[str],
) -> int:  # fmt: skip
  """The table of failures, what is left, and the exit code."""
  from jaxnets import runs
  from jaxnets.report.words import counted

  states = {row["hash"]: runs.read_run(sweep.workdir / row["folder"]) for row in rows}
  ended = [run.state for run in states.values()]
  failed = [row for row in rows if states[row["hash"]].state in ("failed", "diverged")]
  diverged = {row["hash"] for row in rows if states[row["hash"]].state == "diverged"}
  expected = diverged.intersection(may_diverge)
  finished, left = ended.count("done"), len(rows) - ended.count("done") - len(failed)
  if failed:
    title = f"{counted(len(failed), 'cell')} failed or diverged; their log.txt says more"
    table.show(
      [
        {"cell": row["hash"][:8], "run": row["folder"], "state": states[row["hash"]].state,
         "error": states[row["hash"]].error.partition("\n")[0]}
        for row in failed
      ],
      values.format, title=title,
    )  # fmt: skip
  if expected:
    log.info("%s diverged with what is one of several that are tried: no failure",
             counted(len(expected), "cell"))  # fmt: skip
  text = f"{finished} done, {len(failed)} failed, {left} left, in {clock(seconds)}"
  if left and not broken:
    code = 130 if signal.SIGINT in received else 75
    raise StoppedError(f"stopped: {text}\nRun the same command to go on", code)
  if values.format == "text":
    print(text)
    print(f"next:\n  python launch.py {then} {_short(sweep.workdir)}")
  else:
    log.info(text)
  return FAILED if len(failed) > len(expected) else 0


def _say(outcome, done: int, total: int, workdir: Path) -> None:
  from jaxnets import runs

  metrics = runs.read_run(workdir / outcome.row["folder"]).summary.get("metrics", {})
  result = f"  test top-1 {100 * metrics['test_top1']:.2f} %" if metrics else ""
  error = f"  {outcome.error.partition(chr(10))[0]}" if outcome.error else ""
  log.info(
    "[%*d/%d] %s  %s %s%s%s", len(str(total)), done, total, outcome.row["folder"], outcome.state,
    clock(outcome.seconds), result, error,
  )  # fmt: skip


@contextlib.contextmanager
def _heard() -> Iterator[list[int]]:
  """The signals that came, of those that ask to stop; an exception might end in JAX's import."""
  received: list[int] = []
  before = {s: signal.signal(s, lambda number, frame: _note(received, number))
            for s in (signal.SIGINT, signal.SIGTERM)}  # fmt: skip
  try:
    yield received
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _note(received: list[int], number: int) -> None:
  if received:
    log.info("still waiting for the cells under way to write their checkpoints")
  else:
    log.info("%s: cells under way stop after a checkpoint", signal.Signals(number).name)
  received.append(number)


def grid_of(text: str) -> tuple[str, list[Any]]:
  """The key and the values of a --grid."""
  key, equals, given = text.partition("=")
  if not equals or not given:
    raise ConfigError(f"--grid={text} must be KEY=VALUE,VALUE,..., as net.depth=20,32,44")
  try:
    return key, list(ast.literal_eval(f"[{given}]"))
  except (ValueError, SyntaxError):
    return key, [value_of(word) for word in given.split(",")]


def seeds_of(text: str) -> list[int]:
  """The seeds of --seeds."""
  try:
    first, colon, last = text.partition(":")
    found = list(range(int(first or 0), int(last))) if colon else [int(s) for s in text.split(",")]
  except ValueError:
    found = []
  if not found or min(found) < 0:
    raise ConfigError(f"--seeds={text} must be a range, 0:5, or a list, 0,1,7; none below 0")
  if len(set(found)) < len(found):
    raise ConfigError(f"--seeds={text} names a seed twice\nOne seed gives the same bits each time")
  return found


def _shard(rows: list, text: str | None) -> list:
  if text is None:
    return rows
  try:
    part, count = map(int, text.split("/"))
  except ValueError:
    part = count = 0
  if not 1 <= part <= count:
    raise ConfigError(f"--shard={text} must be i/n with 1 <= i <= n, as 2/4")
  own = rows[(part - 1) * len(rows) // count : part * len(rows) // count]
  if not own:
    raise ConfigError(f"--shard={text} has no cell; the sweep has {len(rows)}")
  return own


def _short(workdir: Path) -> Path:
  return workdir.relative_to(Path.cwd()) if workdir.is_relative_to(Path.cwd()) else workdir
