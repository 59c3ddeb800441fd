"""Filters of the first layer, and images with maps of where the net looks, from pictures.npz."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets.report import signals, words
from jaxnets.report.content import Content
from jaxnets.report.figures import style
from jaxnets.report.figures.signals import left_out
from jaxnets.report.figures.style import Page
from jaxnets.report.signals import Trace
from jaxnets.runs import read_pictures

FILTERS, MAPS = 6, 4  # groups of a figure
MOST = 64  # filters of a group
FINE = 64  # pixels of a width, at least, below a map
SEEN = 0.6  # of a map over its image
IMAGES = 8  # on a wide page; half as many in a column
BETWEEN = (0.80, 0.88, 0.95)  # neither white nor black, which weights may be
RIGHT, WRONG = style.COLOURS[0], style.COLOURS[1]
IMAGE = ("", "image", "")  # an array, its name, its colours
KINDS = (("cam", "CAM", "RdBu_r"), ("grad_cam", "Grad-CAM", "inferno"))


class Shown(NamedTuple):
  """A group's pictures: those of its first run that has some."""

  group: int
  trace: Trace
  arrays: dict[str, Any]


def found(content: Content, needed: str, most: int) -> list[Shown]:
  """The first groups that have an array."""
  shown = []
  for i, own in enumerate(content.traces):
    for one in own:
      arrays = read_pictures(one.run.folder)
      if needed in arrays:
        shown.append(Shown(i, one, arrays))
        break
    if len(shown) == most:
      break
  return shown


def draw_filters(content: Content, page: Page) -> Figure | None:
  """First and last filters side by side; None where no run has any."""
  shown = found(content, "filters_last", FILTERS)
  if not shown:
    return None
  grids = [[grid(one.arrays, end) for end in ("first", "last")] for one in shown]
  columns = 2 if len(shown) == 4 else min(len(shown), page.columns)
  rows = -(-len(shown) // columns)
  wide = page.width / columns
  tall = max(own[0].shape[0] / own[0].shape[1] for own in grids) * 0.46 * wide
  figure = Figure(figsize=(page.width, (tall + 0.5) * rows), layout="constrained")
  parts = np.atleast_1d(figure.subfigures(rows, columns, squeeze=False)).ravel()
  room = style.letters(0.9 * wide, page.text)
  for part, one, own in zip(parts, shown, grids, strict=False):
    part.suptitle(words.shortened(content.labels[one.group], room), x=0.02, ha="left",
                  fontsize=page.text)  # fmt: skip
    for panel, end, pixels in zip(part.subplots(1, 2), ("first", "last"), own, strict=True):
      _image(panel, pixels)
      panel.set_title(f"step {int(one.arrays[f'step_{end}']):,}", fontsize=style.SMALL)
  return figure


def say_filters(content: Content) -> str:
  """The caption."""
  shown = found(content, "filters_last", FILTERS)
  return (
    "The filters of the first layer before the step that is named, each from its lowest weight "
    f"(black) to its highest (white, or full colour). {_runs(shown)}"
    f"{left_out(content, FILTERS)} The numbers are in pictures.npz of the run folders."
  )


def grid(arrays: Mapping[str, np.ndarray], end: str) -> np.ndarray:
  """The filters of one end, [height, width, 3], 0 to 1, with BETWEEN around each."""
  height, width, columns, count = (int(n) for n in arrays["filters_shape"])
  laid = arrays[f"filters_{end}"]
  count = min(count, MOST)
  across, gap = math.ceil(math.sqrt(count)), max(1, height // 5)
  size = gap + -(-count // across) * (height + gap), gap + across * (width + gap)
  pixels = np.tile(np.array(BETWEEN, np.float32), (*size, 1))
  for n in range(count):
    row, column = divmod(n, columns)
    one = laid[row * height : (row + 1) * height, column * width : (column + 1) * width]
    top, left = gap + n // across * (height + gap), gap + n % across * (width + gap)
    pixels[top : top + height, left : left + width] = coloured(one)
  return pixels


def coloured(image: np.ndarray) -> np.ndarray:
  """[height, width, channels] as red, green, blue; of other than three channels the mean."""
  return image if image.shape[-1] == 3 else np.repeat(image.mean(-1, keepdims=True), 3, -1)


def draw_maps(content: Content, page: Page) -> Figure | None:
  """Images, and over them each group's maps; None where no run has any."""
  shown = found(content, "grad_cam", MAPS)
  if not shown:
    return None
  count = min(max(len(one.arrays["images"]) for one in shown), page.columns * IMAGES // 3)
  same = all(_alike(one.arrays["images"], shown[0].arrays["images"]) for one in shown)
  blocks = []
  for k, one in enumerate(shown):
    kinds = [kind for kind in KINDS if kind[0] in one.arrays]
    if k == 0 and same:
      blocks.append((one, "", [IMAGE]))
    said = f"{content.labels[one.group]}, {signals.named(one.trace)}"
    blocks.append((one, said, kinds if same else [IMAGE, *kinds]))
  side = 0.9 * page.width / count
  sizes = [(side + 0.2) * len(kinds) + (0.25 if said else 0) for _, said, kinds in blocks]
  figure = Figure(figsize=(page.width, sum(sizes)), layout="constrained")
  parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=sizes).ravel()
  for part, (one, said, kinds) in zip(parts, blocks, strict=True):
    if said:
      part.suptitle(words.shortened(said, style.letters(0.9 * page.width, page.text)), x=0.01,
                    ha="left", fontsize=page.text)  # fmt: skip
    panels = part.subplots(len(kinds), count, squeeze=False)
    for own, (name, kind, colours) in zip(panels, kinds, strict=True):
      own[0].set_ylabel(kind, fontsize=style.SMALL)
      for n, panel in enumerate(own):
        if n >= len(one.arrays["images"]):
          panel.set_axis_off()
          continue
        _draw_map(panel, one.arrays, n, name, colours)
        _write(panel, one.arrays, n, named=bool(name), room=style.letters(side, style.SMALL))
  return figure


def say_maps(content: Content) -> str:
  """The caption."""
  shown = found(content, "grad_cam", MAPS)
  arrays = shown[0].arrays
  layers = words.listed(sorted({str(one.arrays["grad_cam_at"]) for one in shown}))
  steps = words.listed([f"{n:,}" for n in sorted({int(one.arrays["step_last"]) for one in shown})])
  return (
    f"{str(arrays['split']).capitalize()} images with their class, and where in them the nets see "
    "the class that they name below the map: blue letters are right, orange ones wrong. CAM: class "
    "activation map, red for the class and blue against it, by its largest size. Grad-CAM: at the "
    f"last layer with maps ({layers}), only what speaks for the class, bright where it is most. At "
    f"maps, what is averaged, it is the positive part of CAM. In evaluation mode, before step "
    f"{steps}. {_runs(shown)}{left_out(content, MAPS)} The numbers are in pictures.npz of the run "
    "folders."
  )


def _runs(shown: Sequence[Shown]) -> str:
  names = words.listed(sorted({signals.named(one.trace) for one in shown}))
  return f"Of one run of each group, the first that was probed: {names}."


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
  return one.shape == other.shape and bool((one == other).all())


def _draw_map(panel: Axes, arrays: Mapping[str, Any], n: int, name: str, colours: str) -> None:
  image = coloured(arrays["images"][n].astype(np.float32) / 255)
  if name:
    cam = arrays[name][n].astype(np.float32)
    cam = cam / (float(np.abs(cam).max()) or 1.0)
    image = overlaid(image, (cam + 1) / 2 if name == "cam" else cam, colours)
  _image(panel, image)


def overlaid(image: np.ndarray, cam: np.ndarray, colours: str) -> np.ndarray:
  """A map, 0 to 1, over an image, [height, width, 3] times what makes it FINE.

  Blended here: drawn as a layer that is seen through, it would be paler in one format than in
  another.
  """
  times = -(-FINE // image.shape[1])
  # Grey, so that all colour is the map's, and pale, so that its own shades are seen.
  grey = np.repeat(np.repeat(image.mean(-1), times, 0), times, 1)[..., None]
  smooth = resized(resized(cam, grey.shape[0]).T, grey.shape[1]).T
  return (1 - SEEN) * (0.3 + 0.7 * grey) + SEEN * colormaps[colours](smooth)[..., :3]


def resized(values: np.ndarray, rows: int) -> np.ndarray:
  """[height, width] as [rows, width], linear between the middles of rows."""
  at = (np.arange(rows) + 0.5) * len(values) / rows - 0.5
  at = np.clip(at, 0, len(values) - 1)
  above = np.minimum(at.astype(int), max(len(values) - 2, 0))
  part = (at - above)[:, None]
  return values[above] * (1 - part) + values[np.minimum(above + 1, len(values) - 1)] * part


def _write(panel: Axes, arrays: Mapping[str, Any], n: int, *, named: bool, room: int) -> None:
  """The class of an image, or below a map what the net says."""
  label, said = (int(arrays[name][n]) for name in ("labels", "predictions"))
  text = str(arrays["classes"][said if named else label])
  colour = "#222222" if not named else RIGHT if said == label else WRONG
  panel.set_xlabel(words.shortened(text, max(room, 3)), fontsize=style.SMALL, color=colour,
                   labelpad=1.5)  # fmt: skip


def _image(panel: Axes, pixels: np.ndarray) -> None:
  panel.imshow(pixels, vmin=0, vmax=1, interpolation="nearest", cmap="gray")
  panel.grid(visible=False)
  panel.set_xticks([])
  panel.set_yticks([])
  for spine in panel.spines.values():
    spine.set_visible(False)
