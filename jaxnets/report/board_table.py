"""The board as rows: every number, and as people read them."""

import string
from typing import Any

from jaxnets.report import words
from jaxnets.report.board import Board, Row
from jaxnets.report.costs import COSTS, KINDS
from jaxnets.sweep.keys import NOTHING

PRECISIONS = {"float32": 4, "bfloat16": 2, "int8": 1}
RIGHT = ("#", "n", "MACs", "params", *PRECISIONS, "pickled", "latency", "peak memory")


def numbers(board: Board) -> list[dict[str, Any]]:
  """A row of plain values for each group; None where something is not known."""
  return [_numbers(row, board) for row in board.rows]


def _numbers(row: Row, board: Board) -> dict[str, Any]:
  summary, costs = row.summary, row.costs
  pipeline = row.kind == KINDS[0]
  return {
    "name": row.name,
    "kind": row.kind,
    "n": summary.n,
    "error": summary.mean,
    "std": summary.std,
    "low": summary.low,
    "high": summary.high,
    "protocol": row.protocol,
    "data": board.data,
    "macs": costs["macs"],
    "params": costs["params"],
    **{f"bytes_{name}": size for name, size in sizes(row).items()},
    "bytes_pickled": costs["bytes"] if pipeline else None,
    "seconds_per_image": costs["latency"],
    "peak_resident_bytes": costs["memory"],
    "hardware": row.hardware,
    "dominated": list(row.dominated),
    "unsure": list(row.unsure),
    "dominated_everywhere": row.everywhere,
  }


def sizes(row: Row) -> dict[str, float | None]:
  """Bytes of a net's weights by precision; not known of a pipeline, of which none was tried."""
  params = None if row.kind == KINDS[0] else row.costs["params"]
  return {name: None if params is None else k * params for name, k in PRECISIONS.items()}


def cells(board: Board) -> list[dict[str, str]]:
  """The rows as text; what is not known is empty."""
  return [_cells(i, row, board) for i, row in enumerate(board.rows, start=1)]


def _cells(number: int, row: Row, board: Board) -> dict[str, str]:
  costs = {cost: _written(cost, value) for cost, value in row.costs.items()}
  pipeline = row.kind == KINDS[0]
  error = words.number(row.summary.mean, board.share)
  if row.summary.n == 1:
    error += f" {words.DAGGER}"
  interval = words.interval(row.summary.low, row.summary.high, board.share)
  return {
    "#": str(number),
    "name": row.name,
    "kind": row.kind,
    "n": str(row.summary.n),
    f"error{', %' if board.share else ''}": error,
    "95 % interval": "" if interval == NOTHING else interval,
    "protocol": letter(board, row),
    "dominated in": marks(row),
    "MACs": costs["macs"],
    "params": costs["params"],
    **{name: _written("bytes", size) for name, size in sizes(row).items()},
    "pickled": costs["bytes"] if pipeline else "",
    "latency": costs["latency"],
    "peak memory": costs["memory"],
    "hardware": row.hardware,
  }


def marks(row: Row) -> str:
  """The costs in which a row is dominated, with a ? where that is unsure: "macs, latency?".

  "all" of those in which it is compared; "all?" where one of them is unsure.
  """
  if row.everywhere:
    return f"all{'?' if row.unsure else ''}"
  return ", ".join(f"{cost}{'?' if cost in row.unsure else ''}" for cost in row.dominated)


def letter(board: Board, row: Row) -> str:
  """The letter of a row's protocol."""
  i = board.protocols.index(row.protocol)
  return string.ascii_uppercase[i] if i < 26 else str(i + 1)


def protocols(board: Board) -> list[tuple[str, str]]:
  """Each letter with what it stands for."""
  letters = {row.protocol: letter(board, row) for row in board.rows}
  return [(letters[text], text) for text in board.protocols]


def _written(cost: str, value: float | None) -> str:
  return "" if value is None else COSTS[cost].written(value)


def flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
  """Rows of plain values with their lists as words."""
  return [
    {key: " ".join(value) if isinstance(value, list) else value for key, value in row.items()}
    for row in rows
  ]


def shown(board: Board) -> list[dict[str, str]]:
  """The rows as text without columns that are empty in all; the protocol stays."""
  rows = cells(board)
  columns = [c for c in rows[0] if c == "protocol" or any(row[c] for row in rows)]
  return [{column: row[column] for column in columns} for row in rows]


def aligned(rows: list[dict[str, str]]) -> list[dict[str, str]]:
  """Rows of text with numbers at the right of their columns."""
  wide = {c: max(len(c), *(len(row[c]) for row in rows)) if c in RIGHT else 0 for c in rows[0]}
  return [{c.rjust(wide[c]): text.rjust(wide[c]) for c, text in row.items()} for row in rows]
