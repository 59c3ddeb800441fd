"""The whole sweep at a glance: one axis as a plot, two as lines or a heat map, three as panels of
those, more as parallel coordinates. No mean is taken over an axis that is not shown.
"""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from jaxnets.report import axes, words
from jaxnets.report.content import Content
from jaxnets.report.figures import parallel, style
from jaxnets.report.figures.style import Page
from jaxnets.sweep.keys import text_of

MAP = "cividis"  # even in lightness for every eye
CELLS = 12  # of a heat map's side
FITS = 18.0  # points of a cell that "93.1" fits into
NAMES = 60  # groups in a plot with a row each


def draw(content: Content, page: Page) -> Figure | None:
  """None where there is one group, or no result."""
  keys = [key for key in content.keys if len(axes.values(content.groups, key)) > 1]
  if not keys or not any(one.summary for one in content.found):
    return None
  if len(keys) > 3:
    return parallel.draw(content, keys, page)
  # The axis with the fewest values goes to the panels, the next to the rows or colours.
  keys = sorted(keys, key=lambda key: -len(axes.values(content.groups, key)))
  if len(keys) == 1:
    return one_axis(content, keys[0], page)
  parts = axes.facets(content.groups, keys[2:])
  first, second = sorted(keys[:2], key=content.keys.index)
  across = [axes.values(content.groups, key) for key in (first, second)]
  if len(parts) > axes.PANELS or max(map(len, across)) > CELLS:
    return parallel.draw(content, keys, page)
  if all(map(axes.is_numeric, across)) or min(map(len, across)) > axes.COLOURS:
    return heat_maps(content, parts, first, second, page)
  return lines(content, parts, first, second, page)


def one_axis(content: Content, key: str, page: Page) -> Figure:
  """Mean, interval and every seed along one axis; a row for each value that is no number."""
  found = axes.values(content.groups, key)
  if axes.is_numeric(found) and len(found) > 1:
    figure, panel = style.single(page, 3.0 * page.height)
    _line(panel, content, list(range(len(content.groups))), key, found, 0)
    style.numeric_axis(panel.xaxis, found, axes.is_wide(found), content.names[key])
    panel.set_ylabel(_result_name(content))
    style.within_shares(panel, "y", content.share)
    return figure
  shown = list(range(len(content.groups)))[:NAMES]
  figure, panel = style.single(page, 0.8 + 0.03 * page.text * len(shown))
  for row, i in enumerate(shown):
    one = content.found[i]
    values = style.times(one.values.values(), content.share)
    panel.plot(values, [row] * len(values), linestyle="", marker="o", markersize=3.5, alpha=0.6,
               color=style.COLOURS[0], markeredgewidth=0)  # fmt: skip
    if one.summary:
      mean, low, high = _bounds(content, i)
      panel.plot([low, high], [row, row], color=style.COLOURS[0], lw=1.2)
      panel.plot([mean], [row], marker="|", markersize=10, markeredgewidth=2, linestyle="",
                 color=style.COLOURS[0])  # fmt: skip
    else:
      panel.axhspan(row - 0.4, row + 0.4, facecolor="none", edgecolor="#b0b0b0", hatch="////", lw=0)
  room = style.letters(0.4 * page.width, page.text)
  names = [words.shortened(text_of(content.groups[i].axes[key]), room) for i in shown]
  panel.set_yticks(range(len(shown)), names)
  panel.set_ylim(len(shown) - 0.4, -0.6)
  panel.set_xlabel(_result_name(content))
  style.within_shares(panel, "x", content.share)
  return figure


def lines(content: Content, parts: list, first: str, second: str, page: Page) -> Figure:
  """A line for each value of the axis with fewer values, or of the one that is no number."""
  numeric = [key for key in (first, second) if axes.is_numeric(axes.values(content.groups, key))]
  sizes = {key: len(axes.values(content.groups, key)) for key in (first, second)}
  along = numeric[0] if numeric else max((first, second), key=lambda key: sizes[key])
  colour = second if along == first else first
  if sizes[colour] > axes.COLOURS:
    return heat_maps(content, parts, first, second, page)
  shades, found = axes.values(content.groups, colour), axes.values(content.groups, along)
  titles, height = [title for title, _ in parts], 2.4 if len(parts) > 1 else 3.0
  figure, panels = style.grid(titles, page, height=height)
  for panel, (_, own) in zip(panels, parts, strict=True):
    for shade, value in enumerate(shades):
      members = [i for i in own if repr(content.groups[i].axes[colour]) == repr(value)]
      _line(panel, content, members, along, found, shade, len(shades))
    if axes.is_numeric(found):
      style.numeric_axis(panel.xaxis, found, axes.is_wide(found), "")
    else:
      names = [words.shortened(text_of(v), 22) for v in found]
      sloping = max(map(len, names)) > style.letters(style.room(panel) / 72 / len(found), page.text)
      panel.set_xticks(range(len(found)), names, rotation=25 if sloping else 0,
                       ha="right" if sloping else "center")  # fmt: skip
      panel.margins(x=0.15)
  style.within_shares(panels[0], "y", content.share)
  figure.supxlabel(content.names[along])
  figure.supylabel(_result_name(content))
  handles = [
    Line2D([], [], color=style.COLOURS[s], marker=style.MARKERS[s], markersize=4.5,
           label=words.shortened(f"{content.names[colour]} {text_of(v)}", 30))
    for s, v in enumerate(shades)
  ]  # fmt: skip
  style.legend_above(figure, handles, page.text - 0.5)
  return figure


def heat_maps(content: Content, parts: list, first: str, second: str, page: Page) -> Figure:
  """A cell for each pair of values, its mean written in it; cells without a result hatched."""
  across, up = axes.values(content.groups, first), axes.values(content.groups, second)
  alone = len(parts) == 1
  most = 1 if alone else min(page.columns, 2 if len(across) > 4 else 3)
  while most > 1 and _cell_width(page, most * len(across)) < FITS:
    most -= 1
  room = _cell_width(page, most * len(across))
  figure, panels = style.grid(
    [title for title, _ in parts], page, most=most,
    height=max(1.6, 0.9 + 0.3 * len(up)) / page.height,
    width=min(page.width, 2.4 + 0.75 * len(across)) if alone else 0.0,
  )  # fmt: skip
  means = [100 * c.summary.mean if content.share else c.summary.mean
           for c in content.found if c.summary]  # fmt: skip
  norm = Normalize(min(means), max(means) if max(means) > min(means) else min(means) + 1)
  missing = False
  for panel, (_, own) in zip(panels, parts, strict=True):
    panel.grid(False)
    cells = {
      (repr(content.groups[i].axes[first]), repr(content.groups[i].axes[second])): i for i in own
    }
    for x, column in enumerate(across):
      for y, row in enumerate(up):
        i = cells.get((repr(column), repr(row)))
        missing |= not _cell(panel, content, i, x, y, norm, room)
    panel.set_xlim(-0.5, len(across) - 0.5)
    panel.set_ylim(-0.5, len(up) - 0.5)
    names = [words.shortened(text_of(v), 14) for v in across]
    upright = max(map(len, names)) > style.letters(room / 72, page.text)
    panel.set_xticks(range(len(across)), names, rotation=90 if upright else 0)
    panel.set_yticks(range(len(up)), [words.shortened(text_of(v), 20) for v in up])
    panel.tick_params(length=0)
    for side in ("left", "bottom"):
      panel.spines[side].set_visible(False)
  figure.supxlabel(content.names[first])
  figure.supylabel(content.names[second])
  from matplotlib.cm import ScalarMappable

  bar = figure.colorbar(ScalarMappable(norm, colormaps[MAP]), ax=panels, shrink=0.9, pad=0.02)
  bar.set_label(_result_name(content))
  bar.outline.set_visible(False)
  if missing:
    hatched = Patch(facecolor="#f4f4f4", edgecolor="#a0a0a0", hatch="////", label="no finished run")
    style.legend_above(figure, [hatched], page.text - 0.5)
  return figure


def _cell_width(page: Page, cells: int) -> float:
  """Points of one of so many cells beside each other, with labels and a colour bar beside them."""
  return 72 * (page.width - 1.2) / cells


def _cell(panel: Axes, content: Content, i: int | None, x: int, y: int, norm, room: float) -> bool:
  """One cell of a heat map, so many points wide; whether there is a result for it."""
  summary = None if i is None else content.found[i].summary
  if summary is None:
    panel.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor="#f4f4f4",
                              edgecolor="#a0a0a0", hatch="////", lw=0))  # fmt: skip
    return False
  value = 100 * summary.mean if content.share else summary.mean
  colour = colormaps[MAP](norm(value))
  panel.add_patch(Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=colour, lw=0))
  light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
  narrow = room < 2 * FITS
  text = words.number(summary.mean, content.share, 1 if narrow else 2)
  panel.text(x, y, text + (words.DAGGER if summary.n == 1 else ""), ha="center", va="center",
             fontsize=style.SMALL if narrow else 7.5, rotation=90 if room < FITS else 0,
             color="black" if light > 0.45 else "white")  # fmt: skip
  return True


def _line(
  panel: Axes, content: Content, own: Sequence[int], key: str, found: list, shade: int, of: int = 1
) -> None:
  """Means with intervals along an axis, and every seed's dot; lines of one panel stand apart."""
  numeric = axes.is_numeric(found)
  order = [repr(v) for v in found]
  own = sorted(own, key=lambda i: order.index(repr(content.groups[i].axes[key])))
  colour, xs, means = style.COLOURS[shade], [], []
  apart = min(9.0, 0.6 * style.room(panel) / (len(found) * of))
  panel.margins(x=max(0.05, (of / 2 * apart + 4) / style.room(panel)))
  moved, beside = (
    style.aside(panel, (shade - (of - 1) / 2 + more) * apart, panel.figure) for more in (0, 0.45)
  )
  for i in own:
    one = content.found[i]
    if not one.summary:
      continue
    x = one.group.axes[key]
    if not numeric:
      x = order.index(repr(x))
    values = style.times(one.values.values(), content.share)
    panel.plot([x] * len(values), values, linestyle="", marker="o", markersize=3, alpha=0.55,
               color=colour, markeredgewidth=0, zorder=2, transform=beside)  # fmt: skip
    mean, low, high = _bounds(content, i)
    panel.plot([x, x], [low, high], color=colour, lw=1.1, zorder=2, transform=moved)
    # What is drawn aside does not stretch the axes by itself.
    panel.update_datalim([(x, y) for y in (*values, low, high)])
    xs.append(x)
    means.append(mean)
  panel.plot(xs, means, color=colour, marker=style.MARKERS[shade], markersize=5, zorder=3,
             linestyle="-" if numeric else "", markeredgecolor="white", markeredgewidth=0.6,
             transform=moved)  # fmt: skip
  panel.autoscale_view()


def _bounds(content: Content, i: int) -> tuple[float, float, float]:
  """Mean and interval as they are drawn; the mean itself where there is no interval."""
  summary = content.found[i].summary
  assert summary is not None
  low, high = (summary.mean if v is None else v for v in (summary.low, summary.high))
  mean, low, high = style.times([summary.mean, low, high], content.share)
  return mean, low, high


def _result_name(content: Content) -> str:
  return f"{words.metric_name(content.metric)}{', %' if content.share else ''}"
