"""A figure as files: every width and format, the same bytes from the same numbers."""

import io
import re
import warnings
from collections.abc import Callable, Mapping

from matplotlib import style as styles
from matplotlib.figure import Figure

from jaxnets.report.figures import style
from jaxnets.report.figures.style import Page

FORMS = ("svg", "png", "pdf")
PIXELS = 1.9  # of the page for a point of a figure, so that its letters are as large as the text's


def in_all_forms(name: str, draw: Callable[[Page], Figure | None]) -> dict[str, bytes]:
  """The files of a figure by name, NAME.svg and NAME_85mm.svg; none where there is none.

  Args:
    name: of the figure.
    draw: for a page, everything in its place (`settled`).
  """
  files = {}
  for page in style.PAGES:
    with styles.context(["default", style.settings(page, name)]), warnings.catch_warnings():
      # A config may hold any letter; one that the font lacks is drawn as a box.
      warnings.filterwarnings("ignore", message="Glyph .* missing")
      figure = draw(page)
      if figure is not None:
        files |= {f"{name}{page.suffix}.{form}": _saved(figure, form, page) for form in FORMS}
  return files


def settled(figure: Figure) -> Figure:
  """The figure with all in its place, once, so that all formats show the same."""
  style.settle(figure)
  style.thin(figure)
  return figure


def _saved(figure: Figure, form: str, page: Page) -> bytes:
  """The figure's file, without dates or versions: the same runs give the same bytes."""
  nothing = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
  }
  out = io.BytesIO()
  figure.savefig(out, format=form, dpi=page.dots, metadata=nothing[form], facecolor="white")
  return out.getvalue()


def inline(files: Mapping[str, bytes], name: str, description: str) -> str:
  """The <svg> element of a figure, its ids prefixed so that several stand on one page."""
  from markupsafe import escape

  svg = files[f"{name}.svg"].decode()
  svg = svg[svg.index("<svg") :]
  svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
  svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
  svg = re.sub(r'\bid="', f'id="{name}-', svg)
  svg = re.sub(r'href="#', f'href="#{name}-', svg)
  svg = svg.replace("url(#", f"url(#{name}-")
  points = float(re.findall(r'width="([\d.]+)pt"', svg)[0])
  label = (
    f'<svg role="img" aria-label="{escape(description)}" style="--wide:{PIXELS * points:.0f}px" '
    'stroke-linejoin="round" '
  )
  return re.sub(r"\s*\n\s*", "\n", label + svg.removeprefix("<svg").lstrip())
