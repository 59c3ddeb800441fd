"""How all figures look: colours that every eye tells apart, plain axes, no mathtext."""

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from jaxnets.report import words

# Okabe and Ito 2008, "Color Universal Design", without its yellow, which white paper swallows.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
GREY = "#6b6b6b"
VALUES = 8  # of an axis that all have a tick
LETTERS = 100  # of a legend's row
WIDTH = 6.85  # inches: 174 mm, the text width of a journal page
SETTINGS: dict[str, Any] = {
  "font.family": ["DejaVu Sans"],
  "font.size": 8,
  "axes.titlesize": 8,
  "axes.labelsize": 8,
  "legend.fontsize": 7.5,
  "legend.title_fontsize": 7.5,
  "legend.frameon": False,
  "xtick.labelsize": 7.5,
  "ytick.labelsize": 7.5,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.linewidth": 0.7,
  "axes.edgecolor": "#444444",
  "axes.grid": True,
  "axes.axisbelow": True,
  "grid.color": "#e3e3e3",
  "grid.linewidth": 0.6,
  "xtick.major.width": 0.7,
  "ytick.major.width": 0.7,
  "lines.linewidth": 1.4,
  "hatch.linewidth": 0.6,
  # Config strings are drawn as they are, with any dollar signs.
  "text.parse_math": False,
  # Glyphs as outlines: the same picture on a machine with other fonts.
  "svg.fonttype": "path",
  "pdf.fonttype": 42,
}


def grid(n: int, *, height: float = 2.0, most: int = 3, width: float = WIDTH) -> tuple:
  """A figure with n panels in rows, and the panels; all share both axes."""
  columns = 2 if n == 4 else min(n, most)
  rows = -(-n // columns)
  size = (width, height * rows + 0.6)
  figure = Figure(figsize=size, layout="constrained")
  panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel().tolist()
  for panel in panels[n:]:
    panel.remove()
  # A panel with none below it needs its own tick labels.
  for panel in panels[:n][-columns:]:
    panel.xaxis.set_tick_params(labelbottom=True)
  return figure, panels[:n]


def single(height: float = 3.2, width: float = WIDTH) -> tuple[Figure, Axes]:
  """A figure with one panel."""
  figure = Figure(figsize=(width, height), layout="constrained")
  return figure, figure.subplots()


def numeric_axis(axis: Any, found: list[float], wide: bool, name: str) -> None:
  """Ticks at the values themselves, on a logarithmic axis where they are wide."""
  panel = axis.axes
  which = "x" if axis is panel.xaxis else "y"
  if wide:
    getattr(panel, f"set_{which}scale")("log")
  if len(found) <= VALUES:
    axis.set_major_locator(FixedLocator(found))
  elif wide:
    axis.set_major_locator(FixedLocator(round_numbers(min(found), max(found))))
  axis.set_minor_locator(NullLocator())
  axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
  axis.set_minor_formatter(NullFormatter())
  axis.set_label_text(words.shortened(name, 40))


def round_numbers(low: float, high: float, leading: tuple[float, ...] = (1, 2, 5)) -> list[float]:
  """1, 2, 5, 10, ... between two numbers."""
  tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
  return [v for e in tens for lead in leading if low <= (v := float(f"{lead}e{e}")) <= high]


def within_shares(panel: Axes, which: str, share: bool) -> None:
  """No axis beyond 0 to 100 %, where the interval of few runs may well reach."""
  if share:
    low, high = getattr(panel, f"get_{which}lim")()
    getattr(panel, f"set_{which}lim")(max(low, -2), min(high, 102))


def aside(panel: Axes, points: float, figure: Any) -> Any:
  """Data coordinates, and so many points to the right: what would hide each other stands apart."""
  return panel.transData + ScaledTranslation(points / 72, 0, figure.dpi_scale_trans)


def legend_above(figure: Figure, handles: list[Any]) -> None:
  """One legend over all panels, in rows that fit the width."""
  letters = sum(len(handle.get_label()) + 7 for handle in handles)
  columns = -(-len(handles) // -(-letters // LETTERS))
  # matplotlib fills columns first; people read rows.
  ordered = [handle for c in range(columns) for handle in handles[c::columns]]
  figure.legend(handles=ordered, loc="outside upper center", ncols=columns, handlelength=2.4,
                columnspacing=1.2)  # fmt: skip


def times(values: Any, share: bool) -> list[float]:
  """Values as they are drawn: shares in percent."""
  return [100 * value for value in values] if share else list(values)
