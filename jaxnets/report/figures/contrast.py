"""A claim as a picture: the runs of each arm, and intervals of differences beside their limits."""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from jaxnets.report import words
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page

LINE = 0.24  # inches of an arm or a contrast, and more for another line of its name
MORE = 0.12
NAMES = 0.45  # of what there is across a panel may be its names
WIDE = 0.6  # of its size is a letter, about
LEADING = ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,))  # digits of round numbers
FEWEST = 3  # ticks of an axis
MANY = 10_000  # from which numbers are said in thousands, millions, ...


class Room(NamedTuple):
  """Points that there are."""

  across: float  # for a panel and the names beside it
  letter: float  # for a letter, about


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
  limit: float  # that the whole interval must exceed, or stay below


class Forest(NamedTuple):
  """Intervals in one unit."""

  unit: str
  intervals: Sequence[Interval]
  logarithmic: bool


def draw(strips: Sequence[Strip], forests: Sequence[Forest], page: Page) -> Figure:
  """A panel for each, side by side, or one below the other where the page is narrow."""
  panels = len(strips) + len(forests)
  columns = min(panels, page.columns)
  room = Room(72 * page.width / columns, WIDE * page.text)
  rows = [_height(list(s.arms), room) for s in strips]
  rows += [_height([one.name for one in f.intervals], room) for f in forests]
  lines = -(-panels // columns)
  height = lines * (max(2 * LINE, *rows) + 0.75)
  figure = Figure(figsize=(page.width, height), layout="constrained")
  axes = figure.subplots(lines, columns, squeeze=False).ravel().tolist()
  for panel in axes[panels:]:
    panel.remove()
  for panel, strip in zip(axes, strips, strict=False):
    _strip(panel, strip, room)
  for panel, forest in zip(axes[len(strips) :], forests, strict=False):
    _forest(panel, forest, room)
  return figure


def _strip(panel: Axes, strip: Strip, room: Room) -> None:
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
  _rows(panel, list(strip.arms), room)
  letters = int(_across(list(strip.arms), room) / room.letter)
  panel.set_xlabel("\n".join(textwrap.wrap(strip.name, letters, max_lines=3, placeholder=" …")))
  found = {v for values in strip.arms.values() for v in values}
  if strip.logarithmic:
    _logarithmic(panel, _across(list(strip.arms), room), room.letter)
  elif len(found) > 1:
    panel.margins(x=0.08)


def _forest(panel: Axes, forest: Forest, room: Room) -> None:
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
  _rows(panel, [one.name for one in forest.intervals], room)
  panel.set_xlabel(f"difference, {forest.unit}")
  if forest.logarithmic:
    _logarithmic(panel, _across([one.name for one in forest.intervals], room), room.letter)


def _height(names: Sequence[str], room: Room) -> float:
  """Inches of the rows of a panel."""
  more = max((_wrapped(name, room).count("\n") for name in names), default=0)
  return len(names) * (LINE + MORE * more)


def _wrapped(name: str, room: Room) -> str:
  """A name on up to three lines, shortened to one where they are too short."""
  letters = int(NAMES * room.across / room.letter)
  lines = textwrap.wrap(name, letters)
  return "\n".join(lines) if len(lines) <= 3 else words.shortened(name, letters)


def _across(names: Sequence[str], room: Room) -> float:
  """Points that the names beside a panel leave to it, about."""
  longest = max((len(line) for n in names for line in _wrapped(n, room).split("\n")), default=0)
  return room.across - room.letter * (longest + 2)


def _rows(panel: Axes, names: Sequence[str], room: Room) -> None:
  labels = [_wrapped(name, room) for name in names]
  panel.yaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
  panel.yaxis.set_major_formatter(FuncFormatter(lambda at, _: labels[round(at)]))
  panel.set_ylim(len(labels) - 0.4, -0.6)
  panel.grid(axis="y", visible=False)
  panel.tick_params(axis="y", length=0)


def _logarithmic(panel: Axes, across: float, letter: float) -> None:
  panel.set_xscale("log")
  low, high = panel.get_xlim()
  more = min(1.1, (high / low) ** 0.1)
  low, high = low / more, high * more
  panel.set_xlim(low, high)

  def fit(ticks: Sequence[float]) -> bool:
    places = [across * math.log(tick / low) / math.log(high / low) for tick in ticks]
    wide = [letter * len(label) for label in _apart(ticks)]
    return all(
      places[i + 1] - places[i] > (wide[i] + wide[i + 1]) / 2 + letter
      for i in range(len(ticks) - 1)
    )

  ticks = next(filter(fit, _ticks(low, high)))  # one fits always
  panel.xaxis.set_major_locator(FixedLocator(ticks))
  panel.xaxis.set_minor_locator(NullLocator())
  labels = dict(zip(ticks, _apart(ticks), strict=True))
  panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: labels.get(value, "")))


def _ticks(low: float, high: float) -> Iterator[list[float]]:
  """Ticks of a logarithmic axis that would do, the best ones first."""
  round_ones = [style.round_numbers(low, high, leading) for leading in LEADING]
  even = [
    [v for v in MaxNLocator(n).tick_values(low, high) if low <= v <= high] for n in (4, 3, 2, 1)
  ]
  yield from (ticks for ticks in round_ones if len(ticks) >= FEWEST)
  if high < 5 * low:
    yield from (ticks for ticks in even if len(ticks) > 1)
  yield from sorted(filter(None, (*round_ones, *even)), key=len, reverse=True)
  yield [math.sqrt(low * high)]


def _apart(values: Sequence[float]) -> list[str]:
  """Numbers in words that are short, and not alike."""
  said = [words.amount(value) if value >= MANY else f"{value:g}" for value in values]
  return said if len(set(said)) == len(said) else [f"{value:,.10g}" for value in values]
