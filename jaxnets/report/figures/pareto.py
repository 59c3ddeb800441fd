"""The result against what it costs, a bubble's area for the parameters, the frontier as steps.

Two costs: the multiply-adds of one image, and the time of one image as the runs measured it.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jaxnets.report import axes, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.names import Line, place
from jaxnets.report.figures.style import Page
from jaxnets.sweep import aggregate
from jaxnets.sweep.keys import text_of

LABELS = 14  # groups that are named beside their bubble; more are numbered


class Point(NamedTuple):
  """A group."""

  i: int  # of the groups
  cost: float
  least: float  # cost of its runs
  most: float
  mean: float  # of the result
  params: int


def draw_macs(content: Content, page: Page) -> Figure | None:
  """None where fewer than two groups have a cost and a result, or all cost the same."""
  return _draw(
    content, page, by_macs(content), "multiply-adds of one image (MACs), logarithmic", words.amount
  )


def draw_times(content: Content, page: Page) -> Figure | None:
  """None where fewer than two groups have logged a speed and have a result."""
  return _draw(
    content, page, by_times(content), "measured time of one training image, logarithmic",
    words.short_time,
  )  # fmt: skip


def by_macs(content: Content) -> list[Point]:
  """The groups that have a result, by the MACs of their net."""
  found = []
  for i, one in enumerate(content.found):
    macs, params = (aggregate.cost(one.group, name) for name in ("macs", "params"))
    if one.summary and macs and params:
      found.append(Point(i, macs, macs, macs, one.summary.mean, params))
  return found


def by_times(content: Content) -> list[Point]:
  """The groups that have a result, by the seconds of one image: one by their mean images/s."""
  found = []
  for i, one in enumerate(content.found):
    speeds, params = content.speeds[i], aggregate.cost(one.group, "params")
    if one.summary and speeds and min(speeds) > 0 and params:
      mean = len(speeds) / sum(speeds)
      found.append(Point(i, mean, 1 / max(speeds), 1 / min(speeds), one.summary.mean, params))
  return found


def frontier(points: list[tuple[float, float]], sign: int) -> list[tuple[float, float]]:
  """The points that no cheaper or equally cheap one beats, by cost."""
  kept: list[tuple[float, float]] = []
  for cost, mean in sorted(points, key=lambda p: (p[0], -sign * p[1])):
    if not kept or sign * mean > sign * kept[-1][1]:
      kept.append((cost, mean))
  return kept


def _draw(
  content: Content, page: Page, points: list[Point], name: str, written: Callable[[float], str]
) -> Figure | None:
  """The figure of some points; `name` is the cost's, `written` its values on the axis."""
  if len({point.cost for point in points}) < 2:
    return None
  colour, shades = axes.shade(content.groups, content.keys)
  figure, panel = style.single(page, 0.4 + 3.3 * page.height)
  most = max(point.params for point in points)
  steps = _steps(points, words.improves(content.metric), 100 if content.share else 1)
  panel.plot([x for x, _ in steps], [y for _, y in steps], color=style.GREY, lw=1.2,
             linestyle="--", zorder=1)  # fmt: skip
  bars = [bar for point in points for bar in _bars(content, point)]
  for (x, y), (to_x, to_y) in bars:
    panel.plot([x, to_x], [y, to_y], color="#9a9a9a", lw=0.8, zorder=1.5)
  for point in sorted(points, key=lambda one: -one.params):
    panel.scatter(
      [point.cost], [_height(content, point.mean)], s=page.bubble * point.params / most, alpha=0.75,
      color=style.COLOURS[shades[point.i]], edgecolors="white", linewidths=0.8, zorder=2,
    )  # fmt: skip
  _axes(panel, points, content, written)
  panel.set_xlabel(name)
  best = {(x, y) for x, y in steps}
  places = [(point.cost, _height(content, point.mean)) for point in points]
  names, said = _names(content, points, colour)
  _legends(figure, axes.legend(content.groups, colour, content.keys) if colour else ([], ""),
           said, page, most)  # fmt: skip
  sizes = [(page.bubble * point.params / most) ** 0.5 for point in points]
  # Those of the frontier are named first.
  order = sorted(range(len(points)), key=lambda k: places[k] not in best)
  place(
    panel, [names[k] for k in order], [places[k] for k in order], [sizes[k] for k in order],
    [*itertools.pairwise(steps), *bars],
  )  # fmt: skip
  return figure


def _names(content: Content, points: list[Point], colour: str) -> tuple[list[str], str]:
  """A name beside each bubble, of what its colour does not tell, and what these names are of."""
  if len(points) > LABELS:
    return [str(point.i + 1) for point in points], "#: row of the table"
  others = [key for key in content.keys if key != colour] or content.keys
  groups = [content.groups[point.i] for point in points]
  if len(others) == 1:
    return [text_of(one.axes[others[0]]) for one in groups], f"names: {content.names[others[0]]}"
  return [axes.named(one, others) for one in groups], ""


def _height(content: Content, value: float) -> float:
  return 100 * value if content.share else value


def _steps(points: list[Point], sign: int, scale: float) -> list[tuple[float, float]]:
  """The corners of the frontier; none where nobody knows whether more is better."""
  if not sign:
    return []
  ends = frontier([(point.cost, point.mean) for point in points], sign)
  ends.append((max(point.cost for point in points), ends[-1][1]))
  corners = [(ends[0][0], scale * ends[0][1])]
  for (_, before), (cost, mean) in itertools.pairwise(ends):
    corners += [(cost, scale * before), (cost, scale * mean)]
  return corners


def _bars(content: Content, point: Point) -> list[Line]:
  """The interval of the result, and the span of the runs' costs."""
  found, summary = [], content.found[point.i].summary
  if summary and summary.low is not None and summary.high is not None:
    low, high = _height(content, summary.low), _height(content, summary.high)
    found.append(((point.cost, low), (point.cost, high)))
  if point.most > point.least:
    mean = _height(content, point.mean)
    found.append(((point.least, mean), (point.most, mean)))
  return found


def _axes(
  panel: Axes, points: list[Point], content: Content, written: Callable[[float], str]
) -> None:
  cost_axis(panel, [point.cost for point in points], written)
  style.within_shares(panel, "y", content.share)
  panel.set_ylabel(f"{words.metric_name(content.metric)}{', %' if content.share else ''}")


def cost_axis(panel: Axes, costs: Sequence[float], written: Callable[[float], str]) -> None:
  """A logarithmic level axis with a few round ticks; what is on it has been drawn."""
  panel.set_xscale("log")
  panel.margins(x=0.12, y=0.16)
  low, high = panel.get_xlim()
  ratio = high / low
  leading = (1.0,) if ratio > 2000 else (1, 2, 5) if ratio > 6 else (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
  ticks = style.round_numbers(low, high, leading)
  panel.xaxis.set_major_locator(FixedLocator(ticks if len(ticks) > 1 else [min(costs), max(costs)]))
  panel.xaxis.set_minor_locator(NullLocator())
  panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))


def _legends(
  figure: Figure, colours: tuple[list[str], str], said: str, page: Page, most: float
) -> None:
  """Colours, the frontier and what the names are of above; below three bubbles for scale."""
  names, title = colours
  handles = [
    Line2D([], [], linestyle="", marker="o", markersize=6, color=style.COLOURS[shade],
           label=words.shortened(f"{title} {text}", 24))
    for shade, text in enumerate(names)
  ]  # fmt: skip
  handles.append(Line2D([], [], color=style.GREY, lw=1.2, linestyle="--", label="frontier"))
  if said:
    handles.append(Line2D([], [], linestyle="", label=words.shortened(said, 30)))
  style.legend_above(figure, handles, page.text - 0.5)
  bubbles = [Line2D([], [], linestyle="", label="parameters")]
  bubbles += [
    Line2D([], [], linestyle="", marker="o", markersize=(share * page.bubble) ** 0.5,
           markerfacecolor="#d0d0d0", markeredgecolor=style.GREY, markeredgewidth=0.5,
           label=words.amount(share * most))
    for share in (0.1, 0.4, 1.0)
  ]  # fmt: skip
  figure.legend(handles=bubbles, loc="outside lower center", ncols=4, handletextpad=0.8)
