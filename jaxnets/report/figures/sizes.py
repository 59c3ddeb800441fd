"""The result against the number of training images: learning curves over the size of the set."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from jaxnets.config import flatten
from jaxnets.report import axes, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page
from jaxnets.sweep import aggregate, pipelines
from jaxnets.sweep.aggregate import Group

APART = 2.0  # points between the bars of two lines at one size


class Line(NamedTuple):
  """A pipeline at several sizes, or a net at its own."""

  name: str
  members: list[int]  # indices of groups, by size
  sizes: list[int]  # training images of each


def draw(content: Content, page: Page) -> Figure | None:
  """None where no two numbers of training images of pipelines have a result."""
  found = lines(content)
  sizes: list[float] = sorted({size for line in found for size in line.sizes})
  own = {
    size for line in found for i, size in zip(line.members, line.sizes, strict=True)
    if _is_pipeline(content.groups[i])
  }  # fmt: skip
  if len(own) < 2:
    return None
  parts = [found[i : i + axes.COLOURS] for i in range(0, len(found), axes.COLOURS)]
  figure, panels = style.grid([""] * len(parts), page, height=2.4 if len(parts) > 1 else 3.0)
  for panel, part in zip(panels, parts, strict=True):
    for shade, line in enumerate(part):
      _draw_line(panel, content, line, shade, (shade - (len(part) - 1) / 2) * APART)
    style.numeric_axis(panel.xaxis, sizes, True, "")
  panels[0].margins(x=0.06, y=0.06)
  style.within_shares(panels[0], "y", content.share)
  handles = [[_handle(shade, line) for shade, line in enumerate(part)] for part in parts]
  figure.supxlabel("training images, logarithmic")
  figure.supylabel(f"{words.metric_name(content.metric)}{', %' if content.share else ''}")
  if len(parts) == 1:
    style.legend_above(figure, handles[0], page.text - 0.5)
  else:
    for panel, some in zip(panels, handles, strict=True):
      panel.legend(handles=some, fontsize=style.SMALL, handlelength=1.4, loc="best")
  return figure


def lines(content: Content) -> list[Line]:
  """The groups that have a result and a number of training images, by what else they are."""
  groups = content.groups
  known = pipelines.all_images(run for one in groups for run in one.runs)
  keys = [key for key in content.keys if key not in pipelines.SIZES]
  found = []
  for _, members in axes.facets(groups, keys):
    sized = [
      (size, i) for i in members
      if content.found[i].summary and (size := aggregate.images(groups[i], known))
    ]  # fmt: skip
    if sized:
      sized.sort()
      name = _name(groups[members[0]], keys)
      found.append(Line(name, [i for _, i in sized], [size for size, _ in sized]))
  return found


def _is_pipeline(one: Group) -> bool:
  return any("pipeline" in run.config for run in one.runs)


def _name(one: Group, keys: Sequence[str]) -> str:
  """ "hog, svm", "cifar_resnet20, depth=20": without what its kind of run does not have."""
  configs = [flatten(run.config) for run in one.runs]
  found = [{config[key] for config in configs if key in config} for key in pipelines.KINDS]
  kinds = [values.pop() for values in found if len(values) == 1]
  said = {k: one.axes[k] for k in keys if k not in pipelines.KINDS and one.axes[k] is not None}
  return ", ".join([*kinds, *([aggregate.label(said)] if said else [])]) or "the runs"


def _draw_line(panel: Axes, content: Content, line: Line, shade: int, aside: float) -> None:
  """Means, joined, and their intervals, a little aside of those of other lines."""
  moved = style.aside(panel, aside, panel.figure)
  look = {"color": style.COLOURS[shade], "transform": moved}
  means = []
  for i, size in zip(line.members, line.sizes, strict=True):
    summary = content.found[i].summary
    assert summary is not None
    bounds = (summary.mean if v is None else v for v in (summary.low, summary.high))
    mean, low, high = style.times([summary.mean, *bounds], content.share)
    panel.plot([size, size], [low, high], lw=1.1, zorder=2, **look)
    # What is drawn aside does not stretch the axes by itself.
    panel.update_datalim([(size, low), (size, high)])
    means.append(mean)
  panel.plot(line.sizes, means, marker=style.MARKERS[shade], markersize=4.5, zorder=3,
             markeredgecolor="white", markeredgewidth=0.6, **look)  # fmt: skip
  panel.autoscale_view()


def _handle(shade: int, line: Line) -> Line2D:
  return Line2D([], [], color=style.COLOURS[shade], marker=style.MARKERS[shade], markersize=4.5,
                linestyle="-" if len(line.sizes) > 1 else "",
                label=words.shortened(line.name, 34))  # fmt: skip
