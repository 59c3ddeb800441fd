"""Compare the nets with the tables of their papers, cell by cell.

    python launch.py fidelity [NET ...] [--format=text|json|csv|md]

Each row is a cell as the paper prints it, our value, and whether it is the paper's or why it is
not. All nets without a NET. Exit code 1 when a difference has no reason.
"""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from jaxnets.cli import table


def define(values: flags.FlagValues) -> None:
  """This verb has no flags of its own."""
  del values


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints one row per cell."""
  from jaxnets.cost import ledger

  if arguments:
    rows = []
    for net in dict.fromkeys(arguments):
      found = ledger.rows(net)
      if not found:
        print(f"{net} has no rows: no table of a paper is kept for it", file=sys.stderr)
      rows += found
  else:
    rows = ledger.rows()
  entries = ledger.check(rows)
  if values.format == "text" and entries:
    print("\n".join(_text(entries)))
  elif entries or values.format == "json":
    table.show([entry._asdict() for entry in entries], values.format)
  if not entries:
    return 0
  count = Counter(entry.status for entry in entries)
  print(
    f"{len(entries)} cells: {count[ledger.EQUAL]} equal, {count[ledger.DIFFERS]} differ for a "
    f"reason, {count[ledger.UNEXPLAINED]} unexplained",
    file=sys.stderr,
  )
  return 1 if count[ledger.UNEXPLAINED] else 0


def _text(entries: Sequence[Any]) -> Iterator[str]:
  """A table for each net and source, with the reasons below it."""
  width = min(100, shutil.get_terminal_size().columns)
  for heading in dict.fromkeys((entry.net, entry.source) for entry in entries):
    rows = [entry for entry in entries if (entry.net, entry.source) == heading]
    reasons = list(dict.fromkeys(entry.because for entry in rows if entry.because))
    yield "{}, {}".format(*heading)
    yield from table.lines(
      [
        {
          "cell": f"  {entry.cell}",
          "paper": entry.paper,
          "ours": entry.ours,
          "status": entry.status,
          "reason": f"[{reasons.index(entry.because) + 1}]" if entry.because else "",
        }
        for entry in rows
      ]
    )
    for number, reason in enumerate(reasons, start=1):
      yield from textwrap.wrap(
        f"[{number}] {reason}", width, initial_indent="  ", subsequent_indent="      "
      )
    yield ""
