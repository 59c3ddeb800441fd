"""The paper-fidelity ledger: every cell of the papers' tables beside what the nets here have.

    for entry in ledger.check(ledger.rows("googlenet")):
      print(entry.cell, entry.paper, entry.ours, entry.status, entry.because)

The papers' values are typed as they are printed and never computed from the nets. A net that no
paper has, a control or another library's, stands in `DERIVED` beside the paper's net, and a row
with a reason says of every axis in which the two differ, what it is in the paper.
"""

from jaxnets import nets
from jaxnets.cost.ledger import alexnet, googlenet, resnet, vgg
from jaxnets.cost.ledger.row import DIFFERS, EQUAL, UNEXPLAINED, Entry, Row, check, interval

__all__ = [
  "DERIVED",
  "DIFFERS",
  "EQUAL",
  "UNEXPLAINED",
  "Entry",
  "Row",
  "check",
  "interval",
  "rows",
]

FAMILIES = (alexnet, vgg, googlenet, resnet)
DERIVED: dict[str, str] = {
  net: original for family in FAMILIES for net, original in family.DERIVED.items()
}


def rows(net: str | None = None) -> list[Row]:
  """The rows of a net, or of all nets, in the order of the table of nets.

  Raises:
    ConfigError: there is no net of that name.
  """
  found = [row for family in FAMILIES for row in family.rows()]
  if net is not None:
    nets.variant(net)
    return [row for row in found if row.net == net]
  order = list(nets.VARIANTS)
  return sorted(found, key=lambda row: order.index(row.net))
