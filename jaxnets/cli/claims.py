"""What is told about these nets, checked.

    python launch.py claims static [--format=text|json|csv|md]

static: sentences that arithmetic decides, each with the number that it is told with, ours from
traced nets, the verdict and its source. Exit code 1 when ours are not those of the verdict.
"""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from jaxnets import memory
from jaxnets.cli import table
from jaxnets.errors import ConfigError, did_you_mean

KINDS = ("static",)
COLUMNS = 100  # where text is wrapped on wider terminals


def define(values: flags.FlagValues) -> None:
  """This verb has no flags of its own."""
  del values


def run(values: flags.FlagValues, arguments: list[str]) -> int:
  """Prints one row per sentence."""
  if arguments != ["static"]:
    got = " ".join(arguments)
    what = f'there is no claims "{got}".{did_you_mean(got, KINDS)}' if got else "which claims?"
    raise ConfigError(f"{what}\nThere is: python launch.py claims static")
  from jaxnets.claims.claim import changed, check
  from jaxnets.claims.static import CLAIMS

  with memory.uncollected():
    rows = [check(claim) for claim in CLAIMS]
  if values.format == "text":
    print("\n".join(_text(rows)))
  else:
    table.show([row._asdict() for row in rows], values.format)
  different = sum(map(changed, rows))
  count = Counter(row.verdict for row in rows if not changed(row))
  verdicts = ", ".join(f"{number} {verdict}" for verdict, number in count.most_common())
  print(f"{len(rows)} sentences: {verdicts}, {different} changed", file=sys.stderr)
  return 1 if different else 0


def _text(rows: Sequence[Any]) -> Iterator[str]:
  """The sentence, and below it, indented, the numbers and the verdict."""
  width = min(COLUMNS, shutil.get_terminal_size().columns)
  for row in rows:
    yield from textwrap.wrap(row.sentence, width, subsequent_indent="  ")
    parts = {"told": row.usual, "counted": row.ours, "verdict": f"{row.verdict}. {row.note}"}
    for name, text in parts.items():
      yield from textwrap.wrap(
        f"{name:9}{text}", width, initial_indent="    ", subsequent_indent=" " * 13,
        break_on_hyphens=False,
      )  # fmt: skip
    yield ""
