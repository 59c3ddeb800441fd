"""How all figures look: colours that every eye tells apart, plain axes, no mathtext."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import (
  FixedFormatter,
  FixedLocator,
  FuncFormatter,
  NullFormatter,
  NullLocator,
)
from matplotlib.transforms import ScaledTranslation

from jaxnets.report import words

# Okabe and Ito 2008, "Color Universal Design", without its yellow, which white paper swallows.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
GREY = "#6b6b6b"
VALUES = 8  # of an axis that all have a tick
SMALL = 6.5  # points: the smallest letters, inside panels
SETTINGS: dict[str, Any] = {
  "font.family": ["DejaVu Sans"],
  "legend.frameon": False,
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
  # Letters as wide at every resolution, so that what fits the layout fits the file.
  "text.hinting": "none",
  # Glyphs as outlines: the same picture on a machine with other fonts.
  "svg.fonttype": "path",
  "pdf.fonttype": 42,
}


class Page(NamedTuple):
  """What a figure is drawn for."""

  suffix: str  # of its files' names
  width: float  # inches
  columns: int  # of panels
  height: float  # of a panel, as a share of that on a wide page
  text: float  # points
  bubble: float  # points^2, the largest
  dots: int  # of the PNG, per inch


WIDE = Page("", 174 / 25.4, 3, 1.0, 8.0, 340.0, 200)  # the text width of a journal page
NARROW = Page("_85mm", 85 / 25.4, 2, 0.75, 7.0, 150.0, 300)  # one of two columns
PAGES = (WIDE, NARROW)


def settings(page: Page, salt: str) -> dict[str, Any]:
  """matplotlib's, for a page; the ids of an SVG follow from `salt`."""
  whole = ("font.size", "axes.titlesize", "axes.labelsize", "figure.labelsize")
  less = ("legend.fontsize", "legend.title_fontsize", "xtick.labelsize", "ytick.labelsize")
  sizes = dict.fromkeys(whole, page.text) | dict.fromkeys(less, page.text - 0.5)
  return SETTINGS | sizes | {"svg.hashsalt": f"jaxnets {salt}{page.suffix}"}


def letters(inches: float, size: float) -> int:
  """How many letters of so many points go into a width, most of them small ones."""
  return int(72 * inches / (0.6 * size))


def grid(
  titles: Sequence[str], page: Page, *, height: float = 2.0, most: int = 3, width: float = 0.0,
  shared: bool = True, room: float = 0.8,
) -> tuple[Figure, list[Axes]]:  # fmt: skip
  """A figure with a panel for each title in rows, and the panels.

  Args:
    titles: of the panels.
    page: that the figure is for.
    height: of a panel on a wide page, inches.
    most: panels of a row.
    width: of the figure, inches; else the page's.
    shared: whether all have both axes in common.
    room: share of a column that titles have, beside the names of ticks.
  """
  n, most = len(titles), min(most, page.columns)
  columns = 2 if n == 4 and most > 1 else min(n, most)
  rows = -(-n // columns)
  wide = width or page.width
  most_letters = letters(room * wide / columns, page.text)
  said = [_folded(title, most_letters) for title in titles]
  more = 1.3 * page.text / 72 * max(text.count("\n") for text in said)
  size = (wide, (page.height * height + more) * rows + 0.6)
  figure = Figure(figsize=size, layout="constrained")
  panels = (
    figure.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False).ravel().tolist()
  )
  for panel in panels[n:]:
    panel.remove()
  # A panel with none below it needs its own tick labels.
  for panel in panels[:n][-columns:]:
    panel.xaxis.set_tick_params(labelbottom=True)
  for panel, text in zip(panels[:n], said, strict=True):
    panel.set_title(text, loc="left")
  return figure, panels[:n]


def _folded(title: str, room: int) -> str:
  """ "depth=20, shortcut=A" in lines of at most so many letters, two at most."""
  lines = [""]
  for part in title.split(", "):
    longer = f"{lines[-1]}, {part}" if lines[-1] else part
    if len(longer) > room and lines[-1] and len(lines) < 2:
      lines[-1] += ","
      lines.append(part)
    else:
      lines[-1] = longer
  return "\n".join(words.shortened(line, room) for line in lines)


def lowest(panels: Sequence[Axes]) -> list[Axes]:
  """The panels of a grid that have none below them."""
  spec = panels[0].get_gridspec()
  assert spec is not None
  return list(panels[-spec.ncols :])


def single(page: Page, height: float) -> tuple[Figure, Axes]:
  """A figure with one panel, of a height in inches."""
  figure = Figure(figsize=(page.width, height), layout="constrained")
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


def room(panel: Axes) -> float:
  """Points of a panel's width, about: what its share of the figure leaves beside labels."""
  spec, figure = panel.get_gridspec(), panel.figure
  assert spec is not None
  assert isinstance(figure, Figure)
  return 0.8 * 72 * figure.get_figwidth() / spec.ncols


def aside(panel: Axes, points: float, figure: Any) -> Any:
  """Data coordinates, and so many points to the right: what would hide each other stands apart."""
  return panel.transData + ScaledTranslation(points / 72, 0, figure.dpi_scale_trans)


def legend_above(figure: Figure, handles: list[Any], text: float) -> None:
  """One legend over all panels, in rows that fit the width; each row more is added to the height.

  Args:
    figure: whose panels are there.
    handles: with their labels.
    text: size of the letters, points.
  """
  room = letters(figure.get_figwidth(), text)
  n = len(handles)
  columns = next(
    k for k in range(n, 0, -1)
    if k == 1 or sum(max(len(h.get_label()) for h in handles[c::k]) + 7 for c in range(k)) <= room
  )  # fmt: skip
  # matplotlib fills columns first; people read rows.
  ordered = [handle for c in range(columns) for handle in handles[c::columns]]
  figure.legend(handles=ordered, loc="outside upper center", ncols=columns, handlelength=2.4,
                columnspacing=1.2)  # fmt: skip
  figure.set_figheight(figure.get_figheight() + 1.6 * text / 72 * (-(-n // columns) - 1))


def settle(figure: Figure) -> None:
  """Gives every panel its place, for good."""
  if isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine):
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def thin(figure: Figure) -> None:
  """Takes away level tick labels that run into the one before; the layout has been computed."""
  shared = set()
  for panel in figure.axes:
    axis, kept, end = panel.xaxis, [], -math.inf
    labels = [(tick.get_loc(), tick.label1) for tick in axis.get_major_ticks()]
    shown = [(at, label) for at, label in labels if label.get_text() and label.get_visible()]
    if id(axis.major) in shared or any(label.get_rotation() for _, label in shown) or not shown:
      continue
    shared.add(id(axis.major))
    for at, label in sorted(shown, key=lambda one: one[1].get_window_extent().x0):
      box = label.get_window_extent()
      if box.x0 > end + 0.2 * box.height:
        kept.append((at, label.get_text()))
        end = box.x1
    if len(kept) < len(shown):
      axis.set_major_locator(FixedLocator([at for at, _ in kept]))
      axis.set_major_formatter(FixedFormatter([text for _, text in kept]))


def times(values: Any, share: bool) -> list[float]:
  """Values as they are drawn: shares in percent."""
  return [100 * value for value in values] if share else list(values)
