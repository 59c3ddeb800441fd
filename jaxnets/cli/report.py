"""A report of a sweep: one offline page with verdict, table and figures, and their numbers.

    python launch.py report runs/degradation [--metric=test_top1] [--by=net.depth]
      [--baseline=shortcut=none] [--out=runs/degradation/report]

Writes index.html, report.json, figures/, tables/ and data/. The same runs give the same bytes.
"""

import json
from pathlib import Path

from absl import flags

from jaxnets.errors import ConfigError


def define(values: flags.FlagValues) -> None:
  """The flags of this verb."""
  flags.DEFINE_list("by", [], "fields to group by; else all that differ but the seed",
                    flag_values=values)  # fmt: skip
  flags.DEFINE_string("metric", "test_top1", "of summary.json", flag_values=values)
  flags.DEFINE_string(
    "baseline", None, "the group to compare with, as depth=20,shortcut=A; else the first",
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_string("out", None, "folder to write; else report in the first folder",
                      flag_values=values)  # fmt: skip
  flags.DEFINE_bool("mixed_protocols", False, "show numbers that were measured in several ways "
                    "together", flag_values=values)  # fmt: skip


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Writes the report; prints the verdict and where the page is."""
  from jaxnets import report
  from jaxnets.sweep import aggregate

  paths = [Path(a) for a in [*arguments, *([values.workdir] if values.workdir else [])]]
  if not paths:
    raise ConfigError("which runs?\nFor example python launch.py report runs/degradation")
  source = report.read(paths)
  groups = aggregate.with_baseline(aggregate.group(source.runs, values.by), values.baseline)
  out = Path(values.out) if values.out else paths[0] / "report"
  page = report.make(source, groups, values.metric, out, mixed=values.mixed_protocols)
  numbers = json.loads((out / "report.json").read_text())
  if values.format == "json":
    print(json.dumps({"page": str(page), **numbers}, indent=1))
    return 0
  print(numbers["verdict"]["sentence"])
  print(f"{page} ({page.stat().st_size / 1e6:.1f} MB)")
  return 0
