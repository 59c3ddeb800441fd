"""The gallery: claims on one offline page, one screen each, with verdict, numbers and figure.

    index.html                      the page; it needs no script and no network
    gallery.json                    every number of the page
    figures/ID.{svg,png,pdf}        also ID_85mm

The same runs give the same bytes. No JAX here; matplotlib and Jinja come with jaxnets[report].
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure

from jaxnets.report import page, place
from jaxnets.report.figures import contrast, saving
from jaxnets.report.figures.contrast import Forest, Strip
from jaxnets.report.figures.style import Page


class Screen(NamedTuple):
  """All that the page says of a claim."""

  id: str
  sentence: str
  verdict: str  # supported, refuted, underpowered
  told: Sequence[tuple[str, str]]  # what of it, and the text: source, what that says, ...
  findings: Sequence[tuple[str, str]]  # verdict and text of each contrast
  notes: Sequence[str]
  strips: Sequence[Strip]
  forests: Sequence[Forest]
  command: str  # that runs it
  folders: Sequence[str]  # of its runs, or a file of numbers, as links from the page


class Asides(NamedTuple):
  """What the page says below the screens, of sentences that no run decides."""

  rows: Sequence[tuple[str, str, str, str, str, str]]  # sentence, told, found, by, verdict, source
  rest: str  # of those that are not shown


def make(
  screens: Sequence[Screen],
  facts: Sequence[tuple[str, str]],
  numbers: Sequence[Any],
  out: Path,
  asides: Asides,
) -> Path:
  """Writes the gallery into the folder `out`; what an earlier one wrote there goes.

  Args:
    screens: in order.
    facts: of all of them: runs, hardware, ...
    numbers: rows of every contrast, for gallery.json.
    out: the folder.
    asides: sentences that no run decides.

  Returns:
    The page.
  """
  files: dict[str, bytes] = {}
  drawn = {}
  for screen in screens:
    if not any(values for strip in screen.strips for values in strip.arms.values()):
      continue  # no run is done yet
    own = saving.in_all_forms(screen.id, functools.partial(_drawn, screen))
    files |= {f"figures/{name}": data for name, data in own.items()}
    text = f"{screen.id}: {'; '.join(said for _, said in screen.findings)}"
    drawn[screen.id] = Markup(saving.inline(own, screen.id, text))
  html = page.template("gallery.html.j2").render(
    screens=screens, facts=facts, drawn=drawn, asides=asides
  )
  files[place.PAGE] = html.encode()
  files["gallery.json"] = (json.dumps(list(numbers), indent=1, allow_nan=False) + "\n").encode()
  return place.write(out, files)


def _drawn(screen: Screen, page: Page) -> Figure:
  return saving.settled(contrast.draw(screen.strips, screen.forests, page))
