"""The report: one offline page with verdict, table and figures, and their numbers beside it.

    index.html                     the page; it needs no script and no network
    report.json                    every number of the page, as fractions
    figures/NAME.{svg,png,pdf}     174 mm wide; NAME_85mm for one of two columns
    tables/NAME.{csv,md,tex}
    data/{groups,runs,curves}.csv  tidy: a row for each number
    data/probes.csv                a row for each layer and probed step, where runs were probed

The same runs give the same bytes. No JAX here; matplotlib and Jinja come with jaxnets[report].
"""

import json
from collections.abc import Sequence
from pathlib import Path

from jaxnets.report import place
from jaxnets.report.content import Source, gather, read
from jaxnets.sweep.aggregate import Group

__all__ = ["make", "read"]


def make(
  source: Source, groups: Sequence[Group], metric: str, out: Path, *, mixed: bool = False
) -> Path:
  """Writes the report into the folder `out`; what an earlier one wrote there goes.

  Args:
    source: of `read`.
    groups: of `aggregate.group`; the first is the baseline.
    metric: of summary.json, such as "test_top1".
    out: the folder.
    mixed: whether numbers of several protocols may stand together.

  Returns:
    The page.

  Raises:
    DataError: matplotlib or Jinja is not installed.
    ConfigError: no run that is done has the metric; two protocols; `out` cannot be written.
  """
  place.check(out)
  from jaxnets.report import figures, page

  content = gather(source, groups, metric, mixed=mixed)
  drawings = figures.draw(content)
  files = texts(content) | {
    f"figures/{name}": data for one in drawings for name, data in one.files.items()
  }
  files[place.PAGE] = page.render(content, drawings, sorted(files)).encode()
  return place.write(out, files)


def texts(content) -> dict[str, bytes]:
  """The files beside the page that are no figures."""
  from jaxnets.report import numbers, tables

  summary = numbers.summary_rows(content)
  lost = tables.not_done(content)
  heads = [column.head for column in lost.columns]
  files = {
    "report.json": json.dumps(numbers.report(content), indent=1, allow_nan=False) + "\n",
    "data/groups.csv": tables.comma_separated(summary),
    "data/runs.csv": tables.comma_separated(numbers.run_rows(content)),
    "data/curves.csv": tables.comma_separated(numbers.curve_rows(content)),
    "tables/results.csv": tables.comma_separated(summary),
    "tables/not_done.csv": tables.comma_separated(
      [dict(zip(heads, row, strict=True)) for row in lost.rows], heads
    ),
  }
  if any(content.probed.values()):
    files["data/probes.csv"] = tables.comma_separated(numbers.probe_rows(content))
  for table in (tables.results(content), lost):
    files[f"tables/{table.name}.md"] = tables.markdown(table)
    files[f"tables/{table.name}.tex"] = tables.latex(table)
  return {name: text.encode() for name, text in files.items()}
