"""Rows as text, JSON, CSV or Markdown."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def show(rows: Sequence[Mapping[str, Any]], form: str, *, title: str = "") -> None:
  """Prints rows with the same keys on standard output.

  Args:
    rows: one mapping per row; its keys are the columns.
    form: text, json, csv or md.
    title: a line above, in the form text only.
  """
  if form == "json":
    print(json.dumps(list(rows), indent=1))
    return
  columns = list(rows[0]) if rows else []
  if form == "csv":
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print(out.getvalue(), end="")
    return
  if form == "md":
    cells = [[_cell(row[c]) for c in columns] for row in rows]
    print("| " + " | ".join(columns) + " |")
    print("|" + "|".join(" --- " for _ in columns) + "|")
    for line in cells:
      print("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |")
    return
  if title:
    print(title)
  room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
  for line in lines(rows):
    print(line[:room])


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
  """The rows as text, their names above, columns aligned."""
  columns = list(rows[0]) if rows else []
  cells = [[_cell(row[c]) for c in columns] for row in rows]
  widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
  numeric = [all(_number(row[c]) for row in rows) for c in columns]
  return [
    "  ".join(
      cell.rjust(w) if n else cell.ljust(w)
      for cell, w, n in zip(line, widths, numeric, strict=True)
    ).rstrip()
    for line in [columns, *cells]
  ]


def width(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> int:
  """Characters of the longest line."""
  return max(map(len, lines([{c: row[c] for c in columns} for row in rows])))


def _cell(value: Any) -> str:
  if isinstance(value, bool) or value is None:
    return {True: "yes", False: "no", None: ""}[value]
  if isinstance(value, int):
    return f"{value:,}"
  if isinstance(value, float):
    return f"{value:.6g}"
  return str(value)


def _number(value: Any) -> bool:
  return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
