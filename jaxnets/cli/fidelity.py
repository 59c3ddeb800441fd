"""Compare the nets with the tables of their papers, cell by cell.

    python launch.py fidelity [NET ...] [--format=text|json|csv|md]

Each row is a cell as the paper prints it, our value, and whether it is the paper's or why it is
not. All nets without a NET. Exit code 1 when a difference has no reason.
"""

import os
import sys
from collections import Counter

from absl import flags

from jaxnets.cli import table


def define(values: flags.FlagValues) -> None:
  """This verb has no flags of its own."""
  del values


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints one row per cell."""
  # Nothing is computed, and this form of the kernels is traced fastest; JAX is imported after it.
  os.environ.setdefault("JAXNETS_KERNELS", "definition")
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
  if entries or values.format == "json":
    table.show([entry._asdict() for entry in entries], values.format)
  count = Counter(entry.status for entry in entries)
  print(
    f"{len(entries)} cells: {count[ledger.EQUAL]} equal, {count[ledger.DIFFERS]} differ for a "
    f"reason, {count[ledger.UNEXPLAINED]} unexplained",
    file=sys.stderr,
  )
  return 1 if count[ledger.UNEXPLAINED] else 0
