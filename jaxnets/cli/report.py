"""A report of a sweep: one offline page with verdict, table and figures, and their numbers.

    python launch.py report runs/digits_depth [--metric=test_top1] [--by=net.depth]
      [--baseline=shortcut=none] [--out=runs/digits_depth/report]

Writes index.html, report.json, figures/, tables/ and data/; each figure 174 mm wide and, as
NAME_85mm, for one of two columns. The same runs give the same bytes.
"""

import json
from pathlib import Path

from absl import flags

from jaxnets.cli import reading


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  reading.define(values)
  flags.DEFINE_string("out", None, "folder to write; else report in the first folder",
                      flag_values=values)  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Writes the report; prints the verdict and where the page is."""
  from jaxnets import report

  paths = reading.folders(values, arguments, "report")
  source = report.read(paths)
  groups = reading.groups(values, source.runs)
  out = Path(values.out) if values.out else paths[0] / "report"
  page = report.make(source, groups, values.metric, out, mixed=values.mixed_protocols)
  numbers = json.loads((out / "report.json").read_text())
  if values.format == "json":
    print(json.dumps({"page": str(page), **numbers}, indent=1))
    return 0
  print(numbers["verdict"]["sentence"])
  print(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
  return 0
