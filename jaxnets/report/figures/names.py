"""Names beside the bubbles of a figure."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from jaxnets.report import words
from jaxnets.report.figures import style

Line = tuple[tuple[float, float], tuple[float, float]]
Box = tuple[float, float, float, float]  # left, low, right, top; pixels


def place(
  panel: Axes, names: Sequence[str], points: Sequence[tuple[float, float]],
  sizes: Sequence[float], lines: Sequence[Line],
) -> None:  # fmt: skip
  """Writes a name beside each bubble, where it hides least; a thin line leads to one that is far.

  A name without room, which would cover another, is left out; those that come first have it.

  Args:
    panel: with all else in it.
    names: of the bubbles.
    points: their middles, in data coordinates.
    sizes: their diameters, points.
    lines: that the names should leave free, in data coordinates.
  """
  figure = panel.figure
  assert isinstance(figure, Figure)
  style.settle(figure)
  unit = figure.dpi / 72
  middles = [tuple(panel.transData.transform(point)) for point in points]
  bubbles = [_around(x, y, size / 2 * unit) for (x, y), size in zip(middles, sizes, strict=True)]
  ground = [*bubbles, *(_along(panel.transData.transform(ends), unit) for ends in lines)]
  weights = [2.0] * len(bubbles) + [3.0] * len(lines)  # of what is covered
  frame = np.array([panel.get_window_extent().padded(-3 * unit).extents])
  written: list[Box] = []
  for name, own in zip(names, bubbles, strict=True):
    text = words.shortened(name, 30)
    wide, tall = len(text) * style.SMALL * 0.6 * unit, style.SMALL * 1.3 * unit
    places = list(_places(own, wide, tall, 2 * unit))
    boxes = [(x, y, x + wide, y + tall) for x, y, _ in places]
    parts = [[box, *_leader(box, own, unit)] for box in boxes]
    outside = wide * tall - _overlaps(boxes, frame)[:, 0]
    strays = [any(_distance(b, other) < _distance(b, own) for other in bubbles) for b in boxes]
    detours = tall * tall * (0.1 * np.array([far for *_, far in places]) + np.array(strays))
    costs = _hidden(parts, ground, weights) + 5 * outside + detours
    best = parts[int(np.argmin(costs))]
    if written and _overlaps(best[:1], written).max() > wide * tall / 10:
      continue
    written.append((best[0][0] - 2 * unit, best[0][1], best[0][2] + 2 * unit, best[0][3]))
    # Numbers beside each other would read as one: a name's gap counts as the name.
    ground += [written[-1], *best[1:]]
    weights += [8.0] + [4.0] * (len(best) - 1)
    _write(panel, text, best)


def _around(x: float, y: float, radius: float) -> Box:
  return x - radius, y - radius, x + radius, y + radius


def _along(ends: np.ndarray, more: float) -> Box:
  """The box of a level or upright line, a little wider than it."""
  (left, low), (right, high) = ends.min(axis=0) - more, ends.max(axis=0) + more
  return left, low, right, high


def _hidden(candidates: list[list[Box]], ground: list[Box], weights: list[float]) -> np.ndarray:
  """What the parts of each candidate cover of the ground, weighted areas."""
  parts = [part for own in candidates for part in own]
  areas = (_overlaps(parts, ground) * np.array(weights)).sum(axis=1)
  return np.bincount(np.repeat(np.arange(len(candidates)), [*map(len, candidates)]), areas)


def _overlaps(some: Sequence[Box], others: Sequence[Box] | np.ndarray) -> np.ndarray:
  """Areas that boxes have in common, [some, others]."""
  a, b = np.array(some)[:, None], np.array(others)[None]
  sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
  return np.maximum(sides, 0).prod(axis=-1)


def _leader(box: Box, bubble: Box, unit: float) -> list[Box]:
  """The line from a name to its bubble, as dots; none where the name is near."""
  x, y = (bubble[0] + bubble[2]) / 2, (bubble[1] + bubble[3]) / 2
  to_x, to_y = min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3])
  length, radius = math.hypot(to_x - x, to_y - y), bubble[2] - x
  if length < radius + (box[3] - box[1]) / 2:
    return []
  dots = []
  for k in range(round(radius), round(length) + 1, max(1, round(3 * unit))):
    at_x, at_y = x + k / length * (to_x - x), y + k / length * (to_y - y)
    dots.append(_around(at_x, at_y, unit))
  return dots


def _distance(box: Box, bubble: Box) -> float:
  """From a bubble's middle to the middle of a name's nearer end."""
  x, y = (bubble[0] + bubble[2]) / 2, (bubble[1] + bubble[3]) / 2
  return math.hypot(min(max(x, box[0]), box[2]) - x, (box[1] + box[3]) / 2 - y)


def _write(panel: Axes, text: str, parts: list[Box]) -> None:
  """A name in its box, the first of the parts, and its leader along the others."""
  box, *dots = parts
  to_data = panel.transData.inverted().transform
  x, y = to_data(box[:2])
  panel.text(
    x, y, text, fontsize=style.SMALL, va="bottom", ha="left", color="#222222",
    zorder=4, path_effects=[withStroke(linewidth=1.6, foreground="white")],
  )  # fmt: skip
  if len(dots) > 1:
    ends = to_data([((d[0] + d[2]) / 2, (d[1] + d[3]) / 2) for d in (dots[0], dots[-1])])
    panel.plot(ends[:, 0], ends[:, 1], color="#444444", lw=0.5, zorder=3)


def _places(own: Box, wide: float, high: float, gap: float) -> Iterator[tuple[float, float, float]]:
  """Lower left corners of a name around a bubble, and how far each is, in lines."""
  left, low, right, top = own
  x, y = (left + right - wide) / 2, (low + top - high) / 2
  before, after = left - gap - wide, right + gap
  for far in range(8):
    for rise in (far * high / 2, -far * high / 2)[: far + 1]:
      yield after, y + rise, far
      yield before, y + rise, far + 0.1
    for side, more in ((x, 0.2), (after, 0.4), (before, 0.4)):
      yield side, top + gap + far * high / 2, far + more + 0.5
      yield side, low - gap - high - far * high / 2, far + more + 0.5
