"""Error against one cost, a mark for each row of the board, the frontier as steps."""

import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jaxnets.report import axes
from jaxnets.report.board import Board, Row
from jaxnets.report.costs import COSTS, KINDS
from jaxnets.report.figures import style
from jaxnets.report.figures.names import place
from jaxnets.report.figures.pareto import cost_axis, frontier
from jaxnets.report.figures.style import Page
from jaxnets.report.words import error_name

NAMED = 12  # rows that are named beside their mark; of more, those that are not dominated
SIZE = 6.5  # of a mark, points
FADED = 0.28
SHADES = dict(zip(KINDS, (style.COLOURS[2], style.COLOURS[1], style.COLOURS[0]), strict=True))
MARKS = dict(zip(KINDS, ("^", "s", "o"), strict=True))


def draw(board: Board, cost: str, page: Page) -> Figure | None:
  """None where fewer than two rows have the cost, or all cost the same.

  A cost of nothing has no place on a logarithmic axis: such rows are in the table only.
  """
  numbers = {id(row): i for i, row in enumerate(board.rows, start=1)}
  rows = [row for row in board.rows if row.costs[cost]]
  if len({row.costs[cost] for row in rows}) < 2:
    return None
  scale = 100 if board.share else 1
  figure, panel = style.single(page, 0.4 + 3.3 * page.height)
  points = [(float(row.costs[cost] or 0), scale * row.summary.mean) for row in rows]
  lines = _bars(rows, points, scale)
  for (x, low), (_, high) in lines:
    panel.plot([x, x], [low, high], color="#9a9a9a", lw=0.8, zorder=1.5)
  steps = _steps(points) if has_frontier(rows, cost) else []
  if steps:
    panel.plot(*zip(*steps, strict=True), color=style.GREY, lw=1.2, linestyle="--", zorder=1)
  for row, (x, y) in zip(rows, points, strict=True):
    beaten = cost in row.dominated
    panel.plot(
      [x], [y], linestyle="", marker=MARKS[row.kind], markersize=SIZE, color=SHADES[row.kind],
      alpha=FADED if beaten else 1.0, markeredgecolor="white", markeredgewidth=0.6,
      zorder=2 if beaten else 3,
    )  # fmt: skip
  cost_axis(panel, [x for x, _ in points], COSTS[cost].written)
  _error_axis(panel, [y for _, y in points], board.share)
  panel.set_xlabel(f"{COSTS[cost].axis}, logarithmic")
  panel.set_ylabel(f"{error_name(board.metric)}{', %' if board.share else ''}")
  best = [i for i, row in enumerate(rows) if cost not in row.dominated]
  rest = [i for i in range(len(rows)) if i not in best]
  few = len(rows) <= NAMED
  style.legend_above(figure, _legend(rows, bool(steps), few), page.text - 0.5)
  order = best + rest
  names = [rows[i].name if few or i in best else str(numbers[id(rows[i])]) for i in order]
  place(
    panel, names, [points[i] for i in order], [SIZE] * len(rows),
    [*itertools.pairwise(steps), *lines],
  )  # fmt: skip
  return figure


def _error_axis(panel: Axes, errors: list[float], share: bool) -> None:
  """Logarithmic where a linear one would press most of the rows together."""
  if not axes.is_wide(errors):
    style.within_shares(panel, "y", share)
    return
  panel.set_yscale("log")
  panel.set_ylim(0.7 * min(errors), min(1.4 * max(errors), 102 if share else math.inf))
  panel.yaxis.set_major_locator(FixedLocator(style.round_numbers(*panel.get_ylim())))
  panel.yaxis.set_minor_locator(NullLocator())
  panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def has_frontier(rows: Sequence[Row], cost: str) -> bool:
  """Whether the rows' costs compare with each other: what is measured does in one place only."""
  return not COSTS[cost].measured or len({row.place for row in rows}) == 1


def _bars(
  rows: list[Row], points: list[tuple[float, float]], scale: float
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
  """The intervals of the errors."""
  return [
    ((x, scale * row.summary.low), (x, scale * row.summary.high))
    for row, (x, _) in zip(rows, points, strict=True)
    if row.summary.low is not None and row.summary.high is not None
  ]


def _steps(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
  """The corners of the frontier, to the dearest point."""
  ends = frontier(points, -1)
  ends.append((max(x for x, _ in points), ends[-1][1]))
  corners = [ends[0]]
  for (_, before), (x, y) in itertools.pairwise(ends):
    corners += [(x, before), (x, y)]
  return corners


def _legend(rows: list[Row], has_steps: bool, few: bool) -> list[Line2D]:
  handles = [
    Line2D([], [], linestyle="", marker=MARKS[kind], markersize=SIZE, color=SHADES[kind],
           label=kind)
    for kind in KINDS if any(row.kind == kind for row in rows)
  ]  # fmt: skip
  handles.append(Line2D([], [], linestyle="", marker="o", markersize=SIZE, color=style.GREY,
                        alpha=FADED, label="pale: dominated"))  # fmt: skip
  if has_steps:
    handles.append(Line2D([], [], color=style.GREY, lw=1.2, linestyle="--", label="frontier"))
  if not few:
    handles.append(Line2D([], [], linestyle="", label="numbers: rows of the table"))
  return handles
