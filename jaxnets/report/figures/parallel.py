"""Parallel coordinates: a line for each group through its values of all axes to its result.

Inselberg 1985, "The plane with parallel coordinates".
"""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from jaxnets.report import axes, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page
from jaxnets.sweep.keys import text_of

MAP = "viridis"
TICKS = 12  # of a vertical axis


def draw(content: Content, keys: Sequence[str], page: Page) -> Figure:
  """One vertical line per axis, values evenly apart; the last is the result, by size."""
  figure, panel = style.single(page, 3.8)
  panel.grid(False)
  scale = 100 if content.share else 1
  means = [scale * one.summary.mean for one in content.found if one.summary]
  low, high = min(means), max(means)
  norm = Normalize(low, high if high > low else low + 1)
  places = {key: [repr(v) for v in axes.values(content.groups, key)] for key in keys}
  apart = style.room(panel) / 72 / (len(keys) + 1)
  heads = [*(words.shortened(content.names[key], 16) for key in keys), "result"]
  sloping = max(map(len, heads)) > style.letters(apart, 1.15 * page.text)
  for k, head in enumerate(heads):
    panel.text(k, 1.07, head, va="bottom", weight="bold", ha="left" if sloping else "center",
               rotation=30 if sloping else 0, rotation_mode="anchor")  # fmt: skip
  for k, key in enumerate(keys):
    _axis(panel, k, axes.values(content.groups, key), max(6, style.letters(0.8 * apart, 7)))
  # The best are drawn last, over the others.
  ranked = sorted(
    range(len(content.found)),
    key=lambda i: (words.improves(content.metric) or 1) * s.mean if (s := content.found[i].summary)
    else float("-inf"),
  )  # fmt: skip
  for i in ranked:
    summary = content.found[i].summary
    ys = [_place(places[key], repr(content.groups[i].axes[key])) for key in keys]
    # Lines that run together are set apart a little, each group by its own shift.
    shift = 0.02 * (i / max(1, len(content.found) - 1) - 0.5)
    ys = [y + shift for y in ys]
    if summary is None:
      panel.plot(range(len(keys)), ys, color="#b0b0b0", lw=0.9, linestyle=":")
      continue
    value = scale * summary.mean
    panel.plot(range(len(keys) + 1), [*ys, norm(value)], color=colormaps[MAP](0.92 * norm(value)),
               lw=1.3, alpha=0.9)  # fmt: skip
  _result_axis(panel, len(keys), content, low, high)
  panel.set_xlim(-0.45, len(keys) + 0.35)
  panel.set_ylim(-0.06, 1.16)
  panel.axis("off")
  bar = figure.colorbar(ScalarMappable(norm, colormaps[MAP]), ax=panel, shrink=0.75, pad=0.01)
  bar.set_label(f"{words.metric_name(content.metric)}{', %' if content.share else ''}")
  bar.outline.set_visible(False)
  return figure


def _axis(panel, k: int, found: list, most: int) -> None:
  """An axis with its values, each in so many letters."""
  panel.plot([k, k], [-0.02, 1.02], color="#444444", lw=0.8)
  every = -(-len(found) // TICKS)
  for j, value in enumerate(found):
    if j % every == 0:
      y = _place([repr(v) for v in found], repr(value))
      panel.plot([k - 0.02, k], [y, y], color="#444444", lw=0.8)
      text = words.shortened(text_of(value), min(most, 14))
      panel.text(k - 0.05, y, text, ha="right", va="center", fontsize=7, zorder=5,
                 bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.6})  # fmt: skip


def _result_axis(panel, k: int, content: Content, low: float, high: float) -> None:
  panel.plot([k, k], [-0.02, 1.02], color="#444444", lw=0.8)
  for share in (0, 0.5, 1):
    text = (
      f"{low + share * (high - low):.2f}" if content.share else f"{low + share * (high - low):.4g}"
    )
    panel.text(k + 0.04, share, text, ha="left", va="center", fontsize=7)


def _place(order: list[str], value: str) -> float:
  return order.index(value) / (len(order) - 1) if len(order) > 1 else 0.5
