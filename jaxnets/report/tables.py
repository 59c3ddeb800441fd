"""Tables for people: the results and the runs that are not done, as Markdown and LaTeX; and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxnets.report import content as contents
from jaxnets.report import words
from jaxnets.report.content import Content
from jaxnets.runs import STATES
from jaxnets.sweep import aggregate
from jaxnets.sweep.keys import text_of

LATEX = {
  "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
  "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
  "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
  "±": r"$\pm$", "†": r"$^\dagger$", words.MINUS: "$-$", words.NOTHING: "--",
  "…": r"\dots{}", "\n": " ",
}  # fmt: skip
MARKDOWN = {"\\": "\\\\", "|": "\\|", "<": "&lt;", ">": "&gt;", "&": "&amp;", "*": "\\*",
            "_": "\\_", "`": "\\`", "\n": " "}  # fmt: skip


class Column(NamedTuple):
  """A column: its head, and whether it holds numbers."""

  head: str
  numeric: bool


class Table(NamedTuple):
  """Text in rows."""

  name: str
  title: str
  columns: list[Column]
  rows: list[list[str]]
  notes: list[str]


def results(content: Content) -> Table:
  """A row for each group: its result, its difference from the first, what it cost."""
  share, several = content.share, len(content.found) > 1
  unit = ", %" if share else ""
  columns = [Column("#", True)]
  columns += [Column(name, False) for name in content.names.values()]
  columns += [Column(f"{words.metric_name(content.metric)}{unit}", True), Column("n", True)]
  columns += [Column("95 % interval", True)]
  if several:
    columns += [Column(f"delta{', points' if share else ''}", True)]
    columns += [Column("95 % interval of delta", True), Column("p (Holm)", True)]
  has_train = content.metric.startswith(("test_", "validation_")) and any(content.train)
  if has_train:
    train = f"train_{content.metric.rpartition('_')[2]}"
    columns += [Column(f"{words.metric_name(train)}{unit}", True)]
  columns += [Column("params", True), Column("MACs", True), Column("time", True)]
  has_speed = any(content.speeds)
  if has_speed:
    columns += [Column("images/s", True)]
  columns += [Column("runs", False)]
  rows = []
  for i, one in enumerate(content.found):
    summary, difference = one.summary, one.difference
    row = [str(i + 1), *(text_of(one.group.axes[key]) for key in content.keys)]
    row += [_mean(summary, share), str(len(one.values))]
    row += [words.interval(summary.low, summary.high, share) if summary else words.NOTHING]
    if several and i == 0:
      row += ["baseline", "", ""]
    elif several:
      row += [words.signed(difference.mean if difference else None, share)]
      row += [words.signed_interval(difference, share) if difference else words.NOTHING]
      row += [words.probability(one.p)]
    if has_train:
      row += [_mean(content.train[i], share)]
    row += [words.amount(aggregate.cost(one.group, name)) for name in ("params", "macs")]
    row += [words.duration(content.seconds[i])]
    if has_speed:
      row += [words.rate(content.speed(i))]
    row += [_states(one.group)]
    rows.append(row)
  return Table("results", "Results", columns, rows, content.notes)


def not_done(content: Content) -> Table:
  """The runs that diverged, failed or have not ended, none left out."""
  heads = ("run", "state", "seed", "steps", "what went wrong")
  numeric = ("seed", "steps")
  rows = [
    [
      run.folder.name,
      run.state,
      text_of(run.config.get(aggregate.SEED)),
      text_of(run.record.get("steps")),
      run.error.partition("\n")[0] or words.NOTHING,
    ]
    for run in contents.lost(content)
  ]
  columns = [Column(head, head in numeric) for head in heads]
  return Table("not_done", "Runs that are not done", columns, rows, [])


def environments(content: Content) -> Table:
  """What the runs ran on."""
  found = contents.environments(content)
  heads = list(found[0]) if found else []
  rows = [[text_of(row[head]) or words.NOTHING for head in heads] for row in found]
  return Table("environments", "Environment", [Column(h, False) for h in heads], rows, [])


def markdown(table: Table) -> str:
  """A pipe table; what Markdown or HTML would read as markup is escaped."""
  lines = ["| " + " | ".join(_escaped(c.head, MARKDOWN) for c in table.columns) + " |"]
  lines += ["|" + "|".join(" ---: " if c.numeric else " --- " for c in table.columns) + "|"]
  lines += ["| " + " | ".join(_escaped(v, MARKDOWN) for v in row) + " |" for row in table.rows]
  notes = [f"- {_escaped(note, MARKDOWN)}" for note in table.notes]
  return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def latex(table: Table) -> str:
  """A booktabs tabular (\\usepackage{booktabs}); notes as comments above it."""
  lines = [f"% {' '.join(note.split())}" for note in table.notes]
  lines += ["\\begin{tabular}{" + "".join("r" if c.numeric else "l" for c in table.columns) + "}"]
  lines += ["\\toprule", _latex_row([c.head for c in table.columns]), "\\midrule"]
  lines += [_latex_row(row) for row in table.rows]
  return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def comma_separated(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
  """Rows with the same keys as CSV; what is not known is an empty field."""
  out = io.StringIO()
  writer = csv.DictWriter(out, columns or list(rows[0] if rows else []), lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  return out.getvalue()


def _mean(summary: Any, share: bool) -> str:
  """ "93.10 ± 0.21", "93.10 †" of one seed."""
  if summary is None:
    return words.NOTHING
  text = words.number(summary.mean, share)
  return (
    f"{text} {words.DAGGER}" if summary.n == 1 else f"{text} ± {words.number(summary.std, share)}"
  )


def _states(one: aggregate.Group) -> str:
  """ "3 done, 1 diverged"."""
  counts = [(aggregate.count(one, state), state) for state in STATES]
  return ", ".join(f"{n} {state}" for n, state in counts if n)


def _latex_row(row: Sequence[str]) -> str:
  return " & ".join(_escaped(value, LATEX) for value in row) + r" \\"


def _escaped(text: str, table: Mapping[str, str]) -> str:
  return "".join(table.get(letter, letter) for letter in text)
