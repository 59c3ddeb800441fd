"""The board: error against what it costs, for all that was run on a dataset.

    python launch.py board runs/cifar10_resnet runs/classical [--metric=test_top1]
      [--cost=macs,latency] [--data=cifar10] [--out=runs/board]

Runs that differ in nothing but the seed are a row; hand-made features, MLPs and ConvNets stand
together, by error; of a folder of claims run its pipelines, too. A row is dominated in a cost where
another has no more error and costs no more.
In the form text a page with a figure for each cost is written too: index.html, board.json,
board.csv. The same runs give the same bytes.
"""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from jaxnets.cli import reading, table
from jaxnets.errors import ConfigError, DataError


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  reading.define_metric(values)
  flags.DEFINE_list("cost", [], "to compare in: macs, params, bytes, latency, memory; else all",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_string("data", None, "the dataset, where the runs are of several",
                      flag_values=values)  # fmt: skip
  flags.DEFINE_string("out", None, "folder of the page; else board in the first folder",
                      flag_values=values)  # fmt: skip
  flags.DEFINE_bool("page", True, "write the page; with other forms than text, only with --out",
                    flag_values=values)  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints a row for each group of runs, and writes the page."""
  from jaxnets.claims import ledger
  from jaxnets.report import board, board_table
  from jaxnets.sweep import aggregate, folder

  paths = reading.folders(values, arguments, "board")
  inside = [path / ledger.PIPELINES for path in paths]  # beside the nets that claims run trained
  paths += [path for path in inside if folder.is_sweep(path) and path not in paths]
  found = board.gather(aggregate.read(paths), values.metric, data=values.data, costs=values.cost)
  if values.format in ("json", "csv"):
    rows = board_table.numbers(found)
    table.show(rows if values.format == "json" else board_table.flat(rows), values.format)
  else:
    _print(found, values.format)
  sys.stdout.flush()
  if values.out or (values.page and values.format == "text"):
    _write(values, found, paths[0])
  return 0


def _print(found: Any, form: str) -> None:
  """The table for people, its letters and its notes."""
  from jaxnets.report import board_table, words

  rows = board_table.shown(found)
  title = f"{words.error_name(found.metric)} on {found.data}, least first"
  if form == "md":
    table.show(rows, form)
  else:
    table.show(board_table.aligned(rows), form, title=title)
  said = [f"Protocol {letter}: {text}." for letter, text in board_table.protocols(found)]
  for line in [*said, *found.notes]:
    print(f"\n{line}" if form == "md" else line)


def _write(values: flags.FlagValues, found: Any, first: Path) -> None:
  """Writes the page; where nobody asked for it by name, what is in its way is only told of."""
  from jaxnets.report import place

  out = Path(values.out) if values.out else first / "board"
  try:
    place.check(out)
    from jaxnets.report import board_page

    page = board_page.make(found, out)
  except (ConfigError, DataError) as error:
    if values.out:
      raise
    print(f"no page: {error}", file=sys.stderr)
    return
  print(page, file=sys.stdout if values.format == "text" else sys.stderr)
