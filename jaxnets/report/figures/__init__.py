"""The figures: each module draws one from the report's numbers, or None where it has none to draw.

Only here is matplotlib imported, its object interface alone: no global figure, and the user's
settings stay as they are.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure

from jaxnets.report import words
from jaxnets.report.content import Content
from jaxnets.report.figures import (
  curves,
  depth,
  pareto,
  pictures,
  profiles,
  saving,
  signals,
  sizes,
  sweep,
)
from jaxnets.report.figures.style import Page


class Drawing(NamedTuple):
  """A figure in all its formats."""

  name: str  # of its files
  title: str
  caption: str
  files: dict[str, bytes]  # by name, NAME.svg and NAME_85mm.svg
  inline: str  # the SVG as an element for a page, every id its own
  numbers: str  # the file of data that it shows; "" where that is in the run folders


class Kind(NamedTuple):
  """What can be drawn."""

  name: str
  title: str
  draw: Callable[[Content, Page], Figure | None]
  caption: str | Callable[[Content], str]
  numbers: str = "groups"


KINDS = (
  Kind(
    "depth", "Depth against error", depth.draw,
    "Final error of the nets by depth, on training and held-out images. Lines join means; each dot "
    "is one seed. Worse training error with depth is degradation; worse held-out error alone is "
    "over-fitting.",
  ),
  Kind(
    "curves", "Learning curves", curves.draw,
    "Thick: held-out images; thin and dashed: training. Lines are means over seeds; with fewer "
    "than five seeds the band spans the least and the most and each seed is drawn, otherwise it is "
    "the 95 % t interval of the mean. Dotted lines that end in a cross are runs that are not done. "
    "The vertical axis is cut to the values after the first quarter of the steps.",
    "curves",
  ),
  Kind(
    "sizes", "Learning curves over training-set size", sizes.draw,
    "Result by the number of training images. Lines join means over seeds; upright bars are 95 % "
    "intervals of the mean, where several seeds give one. Lines at one size stand a little apart. "
    "That hand-made features win at the small end is seen where the line of learned ones, on as "
    "few images, is below theirs; a net that was trained on all images is one mark.",
  ),
  Kind(
    "pareto", "Accuracy against cost", pareto.draw_macs,
    "Mean result by multiply-adds of one image. A bubble's area is proportional to the parameters, "
    "grey bars are 95 % intervals, the dashed steps join the groups that no cheaper one beats. "
    "Numbers beside bubbles are those of the table; where there is no room, a bubble has none.",
  ),
  Kind(
    "speed", "Accuracy against measured speed", pareto.draw_times,
    "Mean result by the time of one image in training, one over the images/s of the table. Upright "
    "grey bars are 95 % intervals, level ones the span of the runs; the rest is as above. Times "
    "were measured while other runs ran beside, as many as the sweep had workers, so they compare "
    "within this sweep only.",
  ),
  Kind(
    "sweep", "The whole sweep", sweep.draw,
    "The result over the axes of the sweep. Dots are single seeds, bars 95 % intervals; hatched "
    "cells and dotted lines have no finished run; † marks a single seed.",
  ),
  Kind("gradients", "Gradients by layer", signals.draw_gradients, signals.say_gradients, "probes"),
  Kind("updates", "Updates by layer", signals.draw_updates, signals.say_updates, "probes"),
  Kind("layers", "What layers give", profiles.draw, profiles.say, "probes"),
  Kind("filters", "Filters of the first layer", pictures.draw_filters, pictures.say_filters, ""),
  Kind("maps", "Where the nets look", pictures.draw_maps, pictures.say_maps, ""),
)  # fmt: skip


def draw(content: Content) -> list[Drawing]:
  """All figures that the runs have numbers for."""
  drawings = []
  for kind in KINDS:
    files = saving.in_all_forms(kind.name, functools.partial(lay_out, kind, content))
    if files:
      inline = saving.inline(files, kind.name, _description(kind, content))
      caption = kind.caption if isinstance(kind.caption, str) else kind.caption(content)
      drawings.append(Drawing(kind.name, kind.title, caption, files, inline, kind.numbers))
  return drawings


def lay_out(kind: Kind, content: Content, page: Page) -> Figure | None:
  """A figure with all in its place, once, so that all formats show the same."""
  figure = kind.draw(content, page)
  return None if figure is None else saving.settled(figure)


def _description(kind: Kind, content: Content) -> str:
  """What who cannot see the figure has to know; of what is no result, the caption tells it."""
  if not isinstance(kind.caption, str):
    return f"{kind.title} of {words.counted(len(content.found), 'group')}."
  groups = words.counted(len(content.found), "group")
  return (
    f"{kind.title}: {words.metric_name(content.metric)} of {groups}. {content.verdict.sentence}"
  )
