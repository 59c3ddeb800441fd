"""Accuracy against multiply-adds, a bubble's area for the parameters, the frontier as steps."""

import itertools

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from jaxnets.report import axes, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.sweep import aggregate

LARGEST = 340.0  # points^2, of the largest bubble
LABELS = 14  # groups that are named beside their bubble; more are numbered


def draw(content: Content) -> Figure | None:
  """None where fewer than two groups have a cost and a result, or all cost the same."""
  points = pareto_points(content)
  if len({macs for _, macs, *_ in points}) < 2:
    return None
  colour, shades = axes.shade(content.groups, content.keys)
  figure, panel = style.single(3.7)
  most = max(params for *_, params in points)
  scale = 100 if content.share else 1
  lines = []
  if words.improves(content.metric):
    ends = frontier([(macs, mean) for _, macs, mean, _ in points], words.improves(content.metric))
    ends.append((max(macs for _, macs, *_ in points), ends[-1][1]))
    panel.step([x for x, _ in ends], [scale * y for _, y in ends], where="post", color=style.GREY,
               lw=1.2, linestyle="--", zorder=1)  # fmt: skip
    lines += [((a[0], a[1]), (b[0], a[1])) for a, b in itertools.pairwise(ends)]
  for i, macs, mean, params in sorted(points, key=lambda p: -p[3]):
    summary = content.found[i].summary
    if summary and summary.low is not None and summary.high is not None:
      lines.append(((macs, summary.low), (macs, summary.high)))
      panel.plot([macs, macs], [scale * summary.low, scale * summary.high], color="#9a9a9a", lw=0.8,
                 zorder=1.5)  # fmt: skip
    panel.scatter([macs], [scale * mean], s=_area(params, most), color=style.COLOURS[shades[i]],
                  alpha=0.75, edgecolors="white", linewidths=0.8, zorder=2)  # fmt: skip
  _axes(panel, [macs for _, macs, _, _ in points], content)
  _legend(figure, axes.legend(content.groups, colour, content.keys) if colour else ([], ""), most)
  boxes = [_area(params, most) ** 0.5 for *_, params in points]
  _name(figure, panel, content, [(i, macs, scale * mean) for i, macs, mean, _ in points], boxes,
        [((a, scale * b), (c, scale * d)) for (a, b), (c, d) in lines])  # fmt: skip
  return figure


def pareto_points(content: Content) -> list[tuple[int, int, float, int]]:
  """(group, MACs, mean, parameters) of the groups that have all."""
  found = []
  for i, one in enumerate(content.found):
    macs, params = (aggregate.cost(one.group, name) for name in ("macs", "params"))
    if one.summary and macs and params:
      found.append((i, macs, one.summary.mean, params))
  return found


def frontier(points: list[tuple[int, float]], sign: int) -> list[tuple[int, float]]:
  """The points that no cheaper or equally cheap one beats, by cost."""
  kept: list[tuple[int, float]] = []
  for macs, mean in sorted(points, key=lambda p: (p[0], -sign * p[1])):
    if not kept or sign * mean > sign * kept[-1][1]:
      kept.append((macs, mean))
  return kept


def _area(params: float, most: float) -> float:
  return LARGEST * params / most


def _axes(panel: Axes, macs: list[int], content: Content) -> None:
  panel.set_xscale("log")
  panel.margins(x=0.12, y=0.16)
  low, high = panel.get_xlim()
  ratio = max(macs) / min(macs)
  leading = (1.0,) if ratio > 1000 else (1, 2, 5) if ratio > 4 else (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
  ticks = style.round_numbers(low, high, leading)
  panel.xaxis.set_major_locator(FixedLocator(ticks if len(ticks) > 1 else [min(macs), max(macs)]))
  panel.xaxis.set_minor_locator(NullLocator())
  panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.amount(value)))
  style.within_shares(panel, "y", content.share)
  panel.set_xlabel("multiply-adds of one image (MACs), logarithmic")
  panel.set_ylabel(f"{words.metric_name(content.metric)}{', %' if content.share else ''}")


def _legend(figure: Figure, colours: tuple[list[str], str], most: float) -> None:
  """Colours and the frontier; below them three bubbles for scale."""
  names, title = colours
  handles = [
    Line2D([], [], linestyle="", marker="o", markersize=6, color=style.COLOURS[shade],
           label=words.shortened(f"{title} {text}", 24))
    for shade, text in enumerate(names)
  ]  # fmt: skip
  handles.append(Line2D([], [], color=style.GREY, lw=1.2, linestyle="--", label="frontier"))
  figure.legend(handles=handles, loc="outside right upper", handlelength=1.6)
  bubbles = [
    Line2D([], [], linestyle="", marker="o", markersize=_area(share * most, most) ** 0.5,
           markerfacecolor="#d0d0d0", markeredgecolor=style.GREY, markeredgewidth=0.5,
           label=words.amount(share * most))
    for share in (0.1, 0.4, 1.0)
  ]  # fmt: skip
  figure.legend(handles=bubbles, loc="outside right lower", labelspacing=1.5, handletextpad=1.2,
                borderpad=1.2, title="parameters", alignment="left")  # fmt: skip


def _name(
  figure: Figure, panel: Axes, content: Content, points: list[tuple[int, int, float]],
  sizes: list[float], lines: list,
) -> None:  # fmt: skip
  """A name beside each bubble, where the fewest names, bubbles and lines are."""
  full = len(points) <= LABELS
  figure.draw_without_rendering()  # so that the panel has its place
  unit = figure.dpi / 72
  taken = []
  for (_, macs, mean), size in zip(points, sizes, strict=True):
    x, y = panel.transData.transform((macs, mean))
    r = size / 2 * unit
    taken.append((x - r, y - r, x + r, y + r))
  bubbles = list(taken)
  for ends in lines:
    (x, y), (to_x, to_y) = panel.transData.transform(ends)
    taken.append((x - 2 * unit, y - 2 * unit, to_x + 2 * unit, to_y + 2 * unit))
  frame = tuple(panel.get_window_extent().extents)
  for (i, *_), own in zip(points, bubbles, strict=True):
    text = words.shortened(content.labels[i], 30) if full else str(i + 1)
    size = 6.5 if full else 6
    wide, high = len(text) * size * 0.58 * unit, size * 1.2 * unit
    boxes = [(x, y, x + wide, y + high) for x, y in _places(own, wide, high, 2 * unit)]
    best = min(boxes, key=lambda box: sum(_overlap(box, other) for other in taken)
               + 3 * (wide * high - _overlap(box, frame)))  # fmt: skip
    taken.append(best)
    corner = tuple(panel.transData.inverted().transform(best[:2]))
    panel.annotate(
      text, corner, fontsize=size, va="bottom", ha="left", color="#222222", zorder=4,
      path_effects=[withStroke(linewidth=1.6, foreground="white")],
    )  # fmt: skip


def _places(own: tuple, wide: float, high: float, gap: float) -> list[tuple[float, float]]:
  """Lower left corners of a name around a bubble, the preferred first."""
  left, low, right, top = own
  x, y = (left + right - wide) / 2, (low + top - high) / 2
  before, after = left - gap - wide, right + gap
  return [
    (after, y), (before, y), (x, top + gap), (x, low - gap - high),
    (after, top - high / 3), (after, low - high * 2 / 3), (before, top - high / 3),
    (before, low - high * 2 / 3), (after, top + high / 2), (after, low - high * 3 / 2),
    (before, top + high / 2), (before, low - high * 3 / 2),
  ]  # fmt: skip


def _overlap(a: tuple, b: tuple) -> float:
  wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
  return wide * high if wide > 0 and high > 0 else 0.0
