"""The page of the board: its figures, its table and its numbers in a folder.

    index.html                     the page; it needs no script and no network
    board.json, board.csv          every number of it, as fractions, bytes and seconds
    figures/COST.{svg,png,pdf}     also COST_85mm

The same runs give the same bytes. No JAX here; matplotlib and Jinja come with jaxnets[report].
"""

import functools
import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jaxnets.report import board_table, page, place, tables, words
from jaxnets.report.board import Board
from jaxnets.report.costs import COSTS, KINDS
from jaxnets.report.figures import board as figures
from jaxnets.report.figures import saving
from jaxnets.report.figures.style import Page


def make(board: Board, out: Path) -> Path:
  """Writes the page into the folder `out`; what an earlier one wrote there goes.

  Returns:
    The page.

  Raises:
    ConfigError: `out` cannot be written.
  """
  files: dict[str, bytes] = {}
  drawn = []
  for cost in board.costs:
    own = saving.in_all_forms(cost, functools.partial(_drawn, board, cost))
    files |= {f"figures/{name}": data for name, data in own.items()}
    if own:
      inline = Markup(saving.inline(own, cost, said(board, cost)))
      drawn.append((cost, COSTS[cost].title, inline, caption(board, cost)))
  numbers = board_table.numbers(board)
  html = page.template("board.html.j2").render(
    title=f"{words.error_name(board.metric)} against cost on {board.data}".capitalize(),
    facts=facts(board), drawn=drawn, rows=board_table.shown(board), right=board_table.RIGHT,
    protocols=board_table.protocols(board), notes=board.notes,
    everywhere=[row.everywhere for row in board.rows],
  )  # fmt: skip
  files[place.PAGE] = html.encode()
  whole = {"metric": board.metric, "data": board.data, "costs": list(board.costs),
           "notes": board.notes, "rows": numbers}  # fmt: skip
  files["board.json"] = (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode()
  files["board.csv"] = tables.comma_separated(board_table.flat(numbers)).encode()
  return place.write(out, files)


def facts(board: Board) -> list[tuple[str, str]]:
  """What stands at the top of the page."""
  kinds = [row.kind for row in board.rows]
  counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in KINDS if kind in kinds)
  hardware = list(dict.fromkeys(row.hardware for row in board.rows))
  n = len(hardware)
  found: list[tuple[str, Any]] = [
    ("rows", counts),
    ("runs", sum(row.summary.n for row in board.rows)),
    ("data", board.data),
    ("protocols", len(board.protocols)),
    ("hardware", "; ".join([*hardware[:3], *([f"{n - 3} more"] if n > 3 else [])])),
  ]
  return [(name, str(value)) for name, value in found]


def caption(board: Board, cost: str) -> str:
  """What has to be known to read a figure."""
  rows = [row for row in board.rows if row.costs[cost] is not None]
  lines = ["Upright bars are 95 % intervals."]
  if figures.has_frontier(rows, cost):
    lines.append("Steps join what nothing cheaper or equally cheap beats, by the means.")
  else:
    lines.append(
      "Measured in several places, so it has no frontier; pale rows are dominated in one."
    )
  if missing := len(board.rows) - len(rows):
    lines.append(f"{words.counted(missing, 'row')} without this cost.")
  if any(not row.costs[cost] for row in rows):
    lines.append("Rows that cost nothing are in the table only.")
  return " ".join(lines)


def said(board: Board, cost: str) -> str:
  """What who cannot see a figure has to know: the rows that are not dominated."""
  best = [row for row in board.rows if row.costs[cost] is not None and cost not in row.dominated]
  listed = "; ".join(
    f"{row.name}: {words.level(row.summary.mean, board.share)} at "
    f"{COSTS[cost].written(row.costs[cost] or 0)}"
    for row in best
  )
  return f"Error against {COSTS[cost].title}. Not dominated: {listed}"


def _drawn(board: Board, cost: str, page: Page) -> Any:
  figure = figures.draw(board, cost, page)
  return None if figure is None else saving.settled(figure)
