"""Learning curves: validation thick, training thin and dashed, a band over seeds."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxnets.report import axes, curves, words
from jaxnets.report.content import Content
from jaxnets.report.curves import Curve
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page

START = 0.25  # share of the steps whose values do not stretch the axis


def draw(content: Content, page: Page) -> Figure | None:
  """Panels of groups; None when no run has logged the quantity."""
  quantity = content.metric.rpartition("_")[2]
  rows = [[(run, content.logged[run.folder]) for run in one.runs] for one in content.groups]
  logged = [row for group in rows for _, own in group for row in own if quantity in row]
  if not logged:
    return None
  has_validation = any(row["split"] == "validation" for row in logged)
  held = "validation" if has_validation else "test"
  division = axes.divide(content.groups, content.keys)
  figure, panels = style.grid([part.title for part in division.panels], page)
  for panel, part in zip(panels, division.panels, strict=True):
    for i, shade in zip(part.members, part.shades, strict=True):
      most = int(curves.points(len(rows)) * page.width / style.WIDE.width)
      for split, thick in (("train", False), (held, True)):
        ended = [
          (run.state, curves.thinned(curves.curve(own, split, quantity), most))
          for run, own in rows[i]
        ]
        _draw_group(panel, ended, style.COLOURS[shade], style.MARKERS[shade], thick, content)
    if not division.legend and len(part.members) > 1:
      panel.legend(
        handles=[_line(f"#{i + 1}", s) for i, s in zip(part.members, part.shades, strict=True)],
        ncols=2, fontsize=style.SMALL, handlelength=1.4, handletextpad=0.4, columnspacing=0.8,
        labelspacing=0.3, loc="best",
      )  # fmt: skip
  _finish(figure, panels, division, held, content, page)
  return figure


def _draw_group(
  panel: Axes, ended: list[tuple[str, Curve]], colour: str, marker: str, thick: bool, content
) -> None:
  """Mean and band of the runs that are done; each run where they are few, or did not end well."""
  done = [one for state, one in ended if state == "done" and one.steps]
  mean = curves.band(done, content.level)
  line = {"color": colour, "linestyle": "-" if thick else (0, (3, 1.5))}
  if mean.steps:
    low, high, middle = (style.times(v, content.share) for v in (mean.low, mean.high, mean.mean))
    if len(done) > 1:
      panel.fill_between(mean.steps, low, high, color=colour, alpha=0.18 if thick else 0.1, lw=0)
    every = max(1, len(mean.steps) // 6)
    panel.plot(
      mean.steps, middle, **line, lw=1.7 if thick else 0.9, markersize=4 if thick else 2.5,
      marker=marker if thick or len(mean.steps) == 1 else "", markevery=every,
      markeredgecolor="white", markeredgewidth=0.5, zorder=3,
    )  # fmt: skip
  for state, one in ended:
    if not one.steps or (state == "done" and not 1 < len(done) < curves.FEW):
      continue
    values = style.times(one.values, content.share)
    if state == "done":
      panel.plot(one.steps, values, **line, lw=0.5, alpha=0.6 if thick else 0.35, zorder=2)
    else:
      panel.plot(one.steps, values, color=colour, linestyle=":", lw=0.9, zorder=2)
      panel.plot(one.steps[-1:], values[-1:], color=colour, marker="x", markersize=5, zorder=4)


def _finish(
  figure: Figure, panels: list[Axes], division, held: str, content: Content, page: Page
) -> None:
  name = words.metric_name(content.metric.rpartition("_")[2])
  for panel in panels:
    panel.margins(x=0.03)
  _leave_out_the_start(panels)
  figure.supxlabel("training step")
  figure.supylabel(f"{name}{', %' if content.share else ''}")
  handles = [
    _line(words.shortened(f"{division.title} {text}", 24), shade)
    for shade, text in enumerate(division.legend)
  ]
  handles.append(Line2D([], [], color=style.GREY, lw=1.7, label=held))
  handles.append(Line2D([], [], color=style.GREY, lw=0.9, linestyle=(0, (3, 1.5)), label="train"))
  if any(run.state != "done" for run in content.source.runs):
    handles.append(
      Line2D([], [], color=style.GREY, lw=0.9, linestyle=":", marker="x", markersize=5,
             label="run not done")
    )  # fmt: skip
  style.legend_above(figure, handles, page.text - 0.5)


def _leave_out_the_start(panels: list[Axes]) -> None:
  """Bounds of the values after the first part of the steps: every net begins at chance."""
  points = [
    (float(x), float(y))
    for panel in panels for line in panel.get_lines() for x, y in np.asarray(line.get_xydata())
  ]  # fmt: skip
  first = START * max(x for x, _ in points)
  late = [y for x, y in points if x >= first]
  margin = 0.05 * (max(late) - min(late)) or 1
  panels[0].set_ylim(min(late) - margin, max(late) + margin)


def _line(label: str, shade: int) -> Line2D:
  return Line2D([], [], color=style.COLOURS[shade], marker=style.MARKERS[shade], markersize=4,
                lw=1.7, markeredgecolor="white", markeredgewidth=0.5, label=label)  # fmt: skip
