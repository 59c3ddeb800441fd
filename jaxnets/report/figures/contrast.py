"""A claim as a picture: the runs of each arm, and intervals of differences beside their limits."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from jaxnets.report import words
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page

LINE = 0.24  # inches of an arm or a contrast, one more for a second line of its name
SECOND = 0.12
NAME = 24  # letters in a line of its name
LABEL = 26  # letters in a line of an axis label
FEWEST = 3  # ticks of an axis


class Strip(NamedTuple):
  """The runs of arms in one measure."""

  name: str
  arms: Mapping[str, Sequence[float]]  # one value a seed; logarithms where `logarithmic`
  colours: Sequence[int]  # number of each arm's
  logarithmic: bool


class Interval(NamedTuple):
  """A mean difference; None for what is not known."""

  name: str
  mean: float | None
  low: float | None
  high: float | None
  limit: float  # that the whole interval must exceed


class Forest(NamedTuple):
  """Intervals in one unit."""

  unit: str
  intervals: Sequence[Interval]
  logarithmic: bool


def draw(strips: Sequence[Strip], forests: Sequence[Forest], page: Page) -> Figure:
  """A panel for each, side by side, or one below the other where the page is narrow."""
  panels = len(strips) + len(forests)
  rows = [_height(list(s.arms)) for s in strips]
  rows += [_height([one.name for one in f.intervals]) for f in forests]
  columns = min(panels, page.columns)
  lines = -(-panels // columns)
  height = lines * (max(2 * LINE, *rows) + 0.75)
  figure = Figure(figsize=(page.width, height), layout="constrained")
  axes = figure.subplots(lines, columns, squeeze=False).ravel().tolist()
  for panel in axes[panels:]:
    panel.remove()
  for panel, strip in zip(axes, strips, strict=False):
    _strip(panel, strip)
  for panel, forest in zip(axes[len(strips) :], forests, strict=False):
    _forest(panel, forest)
  return figure


def _strip(panel: Axes, strip: Strip) -> None:
  """A dot for each run, a bar at the mean."""
  for row, (values, number) in enumerate(zip(strip.arms.values(), strip.colours, strict=True)):
    colour = style.COLOURS[number % len(style.COLOURS)]
    if not values:  # an empty line that is not clipped has no place at all
      continue
    shown = [math.exp(v) if strip.logarithmic else v for v in values]
    panel.plot(shown, [row] * len(shown), "o", color=colour, alpha=0.75, markersize=4,
               markeredgewidth=0, clip_on=False)  # fmt: skip
    mean = math.fsum(values) / len(values)
    mean = math.exp(mean) if strip.logarithmic else mean
    panel.plot([mean, mean], [row - 0.3, row + 0.3], color=colour, linewidth=1.6)
  _rows(panel, list(strip.arms))
  panel.set_xlabel(textwrap.fill(words.shortened(strip.name, 3 * LABEL), LABEL))
  found = {v for values in strip.arms.values() for v in values}
  if strip.logarithmic:
    _logarithmic(panel)
  elif len(found) > 1:
    panel.margins(x=0.08)


def _forest(panel: Axes, forest: Forest) -> None:
  """An interval for each contrast, and a mark where it must lie beyond."""
  for row, one in enumerate(forest.intervals):
    shown = math.exp if forest.logarithmic else float
    if one.low is not None and one.high is not None:
      ends = [shown(one.low), shown(one.high)]
      panel.plot(ends, [row, row], color=style.GREY, linewidth=1.6, solid_capstyle="butt")
    if one.mean is not None:
      panel.plot([shown(one.mean)], [row], "D", color="#000000", markersize=4)
    limit = shown(one.limit)
    panel.plot([limit, limit], [row - 0.38, row + 0.38], color="#D55E00", linewidth=1.6)
  panel.axvline(1.0 if forest.logarithmic else 0.0, color="#444444", linewidth=0.7)
  _rows(panel, [one.name for one in forest.intervals])
  panel.set_xlabel(f"difference, {forest.unit}")
  if forest.logarithmic:
    _logarithmic(panel)


def _height(names: Sequence[str]) -> float:
  """Inches of the rows of a panel."""
  return len(names) * (LINE + SECOND * any("\n" in _wrapped(name) for name in names))


def _wrapped(name: str) -> str:
  """A name on two lines where one is too short."""
  return textwrap.fill(words.shortened(name, 2 * NAME - 4), NAME)


def _rows(panel: Axes, names: Sequence[str]) -> None:
  labels = [_wrapped(name) for name in names]
  panel.yaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
  panel.yaxis.set_major_formatter(FuncFormatter(lambda at, _: labels[round(at)]))
  panel.set_ylim(len(labels) - 0.4, -0.6)
  panel.grid(axis="y", visible=False)
  panel.tick_params(axis="y", length=0)


def _logarithmic(panel: Axes) -> None:
  panel.set_xscale("log")
  low, high = panel.get_xlim()
  more = min(1.1, (high / low) ** 0.1)
  low, high = low / more, high * more
  panel.set_xlim(low, high)
  ticks = style.round_numbers(low, high, (1, 1.5, 2, 3, 5, 7))
  if len(ticks) < FEWEST:  # all near one number
    ticks = [v for v in MaxNLocator(4).tick_values(low, high) if low <= v <= high]
  panel.xaxis.set_major_locator(FixedLocator(ticks))
  panel.xaxis.set_minor_locator(NullLocator())
  panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
