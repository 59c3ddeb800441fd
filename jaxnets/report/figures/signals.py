"""Heat maps of probed runs: layer by step, a panel for each group."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from jaxnets.report import signals, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page
from jaxnets.report.signals import Trace

PANELS = 12  # of a figure
COLUMNS = 60  # of a map on a wide page: its steps
STEPS, LAYERS = 4, 8  # tick labels of a map
EMPTY = "#d8d8d8"  # what is zero or not known


def draw_gradients(content: Content, page: Page) -> Figure | None:
  """Norms of gradients; None where no run was probed."""
  return _draw(content, page, lambda one: one.values["gradient_norm"], "gradient norm")


def draw_updates(content: Content, page: Page) -> Figure | None:
  """Norms of updates by those of weights; None where no run was probed."""
  return _draw(content, page, signals.update_ratio, "update / weight")


def say_gradients(content: Content) -> str:
  """The caption."""
  return (
    "Norm of the gradient of the loss by each layer's parameters, before clipping and decay, as a "
    f"power of ten. {_said(content)}"
  )


def say_updates(content: Content) -> str:
  """The caption."""
  return (
    "Norm of what a step adds to a layer's parameters by the norm of these, as a power of ten: "
    f"\u22123 is a change by a thousandth in one step. {_said(content)}"
  )


def _said(content: Content) -> str:
  runs = chosen(content)
  seeds = words.listed(sorted({signals.named(one) for _, one in runs}))
  return (
    "Layers from top to bottom in the order of computing, named where a stage begins; steps that "
    f"were probed from left to right. Each panel is one run, the first that was probed: {seeds}. "
    f"Grey: zero, or not finite.{left_out(content, PANELS)}"
  )


def left_out(content: Content, most: int) -> str:
  """What a figure of so many groups says of the others; "" where there are none."""
  count = sum(bool(own) for own in content.traces)
  return f" The first {most} of {count} groups." if count > most else ""


def chosen(content: Content) -> list[tuple[int, Trace]]:
  """(index of a group, its first run that was probed), as far as there are panels."""
  found = content.traces
  return [(i, own[0]) for i, own in enumerate(found) if own][:PANELS]


def _draw(
  content: Content, page: Page, of: Callable[[Trace], np.ndarray], name: str
) -> Figure | None:
  maps = []
  for i, one in chosen(content):
    rows, columns = signals.learned(one), _columns(one, page)
    table = of(one)[np.ix_(rows, columns)]
    table = np.log10(table, out=np.full_like(table, np.nan), where=table > 0)
    if np.isfinite(table).any():
      maps.append((i, [one.layers[k] for k in rows], [one.steps[k] for k in columns], table))
  if not maps:
    return None
  figure, panels = style.grid(
    [content.labels[i] for i, *_ in maps], page, height=1.9, shared=False, room=0.65
  )  # fmt: skip
  known = np.concatenate([table[np.isfinite(table)] for *_, table in maps])
  # One layer that explodes shall not make all others one colour.
  scale = Normalize(*np.percentile(known, (0.5, 99.5)))
  for panel, (_, layers, steps, table) in zip(panels, maps, strict=True):
    image = panel.imshow(table, aspect="auto", interpolation="nearest", norm=scale, cmap="viridis")
    panel.set_facecolor(EMPTY)
    _ticks(panel, layers, steps)
  bar = figure.colorbar(
    image, ax=panels, location="bottom", aspect=50, shrink=0.6, pad=0.02, extend="both"
  )
  bar.set_label(f"log10 of {name}")
  bar.outline.set(linewidth=0.5)
  for panel in style.lowest(panels):
    panel.set_xlabel("step")
  figure.supylabel("layer", fontsize=page.text)
  figure.set_figheight(figure.get_figheight() + 0.45)
  return figure


def _columns(one: Trace, page: Page) -> list[int]:
  return signals.thinned(len(one.steps), int(COLUMNS * page.width / style.WIDE.width))


def _ticks(panel: Axes, layers: Sequence[str], steps: Sequence[int]) -> None:
  panel.grid(visible=False)
  across = signals.thinned(len(steps), STEPS)
  panel.set_xticks(across, [f"{steps[k]:,}" for k in across])
  down = begins(layers)
  panel.set_yticks(down, [words.shortened(layers[k].split("/")[0], 12) for k in down])
  panel.tick_params(length=2, labelsize=style.SMALL)


def begins(layers: Sequence[str]) -> list[int]:
  """Where stages begin, by the first part of their paths; the fewer where there are many."""
  first = [layer.split("/")[0] for layer in layers]
  starts = [k for k, name in enumerate(first) if k == 0 or name != first[k - 1]]
  found = [starts[k] for k in signals.thinned(len(starts), LAYERS)]
  # Names nearer than this would touch.
  least, kept = len(layers) / 14, found[:1]
  for k in found[1:]:
    if k - kept[-1] >= least:
      kept.append(k)
  return kept
