"""What layers give, from first to last: a panel for each measure, a colour for each group."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from jaxnets.report import signals, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page
from jaxnets.report.signals import Measure, Profile

GROUPS = len(style.COLOURS)
MANY = 40  # layers, whose lines are thin
WIDE = 50  # times the least that the most is on a logarithmic axis
TICKS = 5  # of such an axis


class Look(NamedTuple):
  """How lines of a step are drawn."""

  width: float  # points
  dashes: tuple[float, tuple[float, ...]]


FIRST, LAST = Look(0.9, (0, (3, 1.5))), Look(1.3, (0, ()))


def draw(content: Content, page: Page) -> Figure | None:
  """None where no run was probed."""
  own = [(i, runs) for i, runs in enumerate(content.traces) if runs][:GROUPS]
  shown: list[tuple[Measure, list[list[Profile | None]]]] = []
  for measure in signals.MEASURES:
    lines = [[signals.profile(runs, measure, last=end) for end in (False, True)] for _, runs in own]
    if any(one is not None for ends in lines for one in ends):
      shown.append((measure, lines))
  if not shown:
    return None
  titles = [measure.title for measure, _ in shown]
  figure, panels = style.grid(titles, page, height=1.6, shared=False)
  # Of a residual net every second layer is seen after a sum: its line goes up and down.
  weight = 0.6 if max(len(run.layers) for _, runs in own for run in runs) > MANY else 1.0
  for panel, (measure, lines) in zip(panels, shown, strict=True):
    wide = is_wide(measure, [one for ends in lines for one in ends if one is not None])
    for shade, ends in enumerate(lines):
      for one, last in zip(ends, (False, True), strict=True):
        if one is not None:
          width, dashes = LAST if last else FIRST
          look = {"color": style.COLOURS[shade], "lw": weight * width, "linestyle": dashes}
          _draw_line(panel, one, measure, wide, look | {"zorder": 3 if last else 2})
    _finish(panel, measure, wide)
  figure.supxlabel("layer, in the order of computing")
  room = style.letters(0.8 * page.width, page.text - 0.5) // 2
  handles = [
    Line2D([], [], color=style.COLOURS[shade], lw=1.6,
           label=words.shortened(content.labels[i], room))
    for shade, (i, _) in enumerate(own)
  ]  # fmt: skip
  first, last = signals.steps_said([runs for _, runs in own])
  for text, look in ((f"step {first}", FIRST), (f"step {last}", LAST)):
    handles.append(Line2D([], [], color=style.GREY, lw=1.1, linestyle=look.dashes, label=text))
  style.legend_above(figure, handles, page.text - 0.5)
  return figure


def say(content: Content) -> str:
  """The caption."""
  found = [own for own in content.traces if own]
  first, last = signals.steps_said(found[:GROUPS])
  seeds = words.listed([str(s) for s in sorted({signals.seed(t) for own in found for t in own})])
  text = (
    f"By layer, from the input to the output: dashed at the first probed step ({first}), solid at "
    f"the last ({last}). Lines are means over seeds ({seeds}), bands span the least and the most. "
    "In training mode, of the batch of the step; all but the gradients by weights are of layers "
    "with an activation, of a residual unit's last one after the sum, so its lines go up and down. "
    "The gradient by outputs and their mean square tell whether signals vanish or explode on their "
    "way. Std of responses: after the norm, before the sum and "
    "the activation. Dead: 0 at all places of all images of the batch. Correlation: mean size of "
    "that of two channels. Effective rank: exp(entropy of the normalised eigenvalues of the "
    "channels' covariance), of the channels. 90 % of variance: the share of the components, "
    "largest first, that hold it."
  )
  count = len(found)
  return text + (f" The first {GROUPS} of {count} groups." if count > GROUPS else "")


def is_wide(measure: Measure, lines: Sequence[Profile]) -> bool:
  """Whether a measure's axis is logarithmic: always, or where numbers span too much."""
  values = np.concatenate([one.mean for one in lines])
  some = values[values > 0]
  if not len(some) or measure.kind == "share":
    return False
  return measure.kind == "log" or some.max() > WIDE * some.min()


def _draw_line(
  panel: Axes, one: Profile, measure: Measure, wide: bool, look: Mapping[str, Any]
) -> None:
  factor = 100 if measure.kind == "share" else 1
  mean, low, high = (
    np.where(v > 0, v, np.nan) if wide else v * factor for v in (one.mean, one.low, one.high)
  )
  if (one.high > one.low).any():
    panel.fill_between(one.places, low, high, color=look["color"], alpha=0.15, lw=0)
  panel.plot(one.places, mean, marker="o" if len(mean) == 1 else "", markersize=3, **look)


def _finish(panel: Axes, measure: Measure, wide: bool) -> None:
  panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
  panel.margins(x=0.03)
  if wide:
    panel.set_yscale("log")
    low, high = panel.get_ylim()
    if high / low < 4:  # no curve of rounding
      panel.set_ylim(low := low / 2, high := high * 2)
    marks = style.round_numbers(low, high)
    if len(marks) > TICKS:
      tens = style.round_numbers(low, high, (1,))
      marks = tens[:: -(-len(tens) // TICKS)]
    panel.yaxis.set_major_locator(FixedLocator(marks))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_locator(NullLocator())
  elif measure.kind == "share":
    low, high = panel.get_ylim()
    panel.set_ylim(max(min(low, 0), -2), min(max(high, 5), 102))
  else:
    panel.set_ylim(bottom=0)
  panel.tick_params(labelsize=style.SMALL)
