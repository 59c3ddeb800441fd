"""Depth against the train and the test error: whether deeper nets fit worse, or generalise worse.

He et al. 2015, "Deep Residual Learning for Image Recognition", Fig. 1 and 6: the claim that plain
nets degrade is one about the training error.
"""

from statistics import fmean
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxnets.report import axes, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page
from jaxnets.report.verdict import DEPTH
from jaxnets.sweep import aggregate

CURVES: tuple[tuple[str, str, Any, str], ...] = (
  ("train", "#E69F00", (0, (3, 1.5)), "o"),
  ("held", "#0072B2", "-", "s"),
)


def draw(content: Content, page: Page) -> Figure | None:
  """A panel for each setting of the other axes; None where there are no two depths."""
  groups = content.groups
  if DEPTH not in content.keys:
    return None
  depths = axes.values(groups, DEPTH)
  rest = [key for key in content.keys if key != DEPTH]
  parts = axes.facets(groups, rest)
  if len(depths) < 2 or not axes.is_numeric(depths) or len(parts) > axes.PANELS:
    return None
  if not any(one.summary for one in content.found):
    return None
  figure, panels = style.grid([title for title, _ in parts], page, height=2.2)
  for panel, (_, own) in zip(panels, parts, strict=True):
    for which, colour, dashes, marker in CURVES:
      _draw_error(panel, content, own, which, (colour, dashes, marker))
    style.numeric_axis(panel.xaxis, depths, axes.is_wide(depths), "")
  split = content.metric.rpartition("_")[0]
  figure.supxlabel("depth, layers")
  name = words.error_name(content.metric.rpartition("_")[2])
  figure.supylabel(f"{name}{', %' if content.share else ''}")
  handles = [
    Line2D([], [], color=colour, linestyle=dashes, marker=marker, markersize=4, label=label)
    for (_, colour, dashes, marker), label in zip(CURVES, ("train", split), strict=True)
  ]
  dot = Line2D([], [], color=style.GREY, linestyle="", marker="o", markersize=3, alpha=0.6,
               label="single seeds")  # fmt: skip
  style.legend_above(figure, [*handles, dot], page.text - 0.5)
  return figure


def _draw_error(panel, content: Content, own: list[int], which: str, look: tuple) -> None:
  """The mean line over depth, and every seed's dot."""
  colour, dashes, marker = look
  metric = content.metric
  if which == "train":
    metric = f"train_{metric.rpartition('_')[2]}"
  xs, means = [], []
  for i in sorted(own, key=lambda i: content.groups[i].axes[DEPTH]):
    values = list(aggregate.by_seed(content.groups[i], metric).values())
    if not values:
      continue
    errors = [100 - 100 * v for v in values] if content.share else values
    x = content.groups[i].axes[DEPTH]
    xs.append(x)
    means.append(fmean(errors))
    panel.plot([x] * len(errors), errors, linestyle="", marker="o", markersize=3.2, color=colour,
               alpha=0.6, markeredgewidth=0, zorder=2,
               transform=style.aside(panel, 6, panel.figure))  # fmt: skip
    # What is drawn aside does not stretch the axes by itself.
    panel.update_datalim([(x, error) for error in errors])
  panel.plot(xs, means, color=colour, linestyle=dashes, marker=marker, markersize=4.5,
             markeredgecolor="white", markeredgewidth=0.6, zorder=3)  # fmt: skip
  panel.margins(x=max(0.05, 9 / style.room(panel)))
  panel.autoscale_view()
