"""The page: one HTML file that needs no script, no network and no font of its own."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from jaxnets.report import content as contents
from jaxnets.report import tables, verdict, words
from jaxnets.report.content import Content
from jaxnets.report.figures import Drawing
from jaxnets.runs import STATES

TEMPLATES = Path(__file__).parent / "templates"


def render(content: Content, drawings: Sequence[Drawing], files: Sequence[str]) -> str:
  """The page of a report.

  Args:
    content: its numbers.
    drawings: its figures.
    files: paths that lie beside the page, as links.
  """
  asked = contents.questions(content)
  return template("report.html.j2").render(
    title=asked[0] if asked else ", ".join(content.source.names),
    names=content.source.names,
    questions=asked,
    verdict=content.verdict,
    findings=verdict.say_depth_changes(content.depth, content.metric, content.level),
    facts=facts(content),
    results=tables.results(content),
    not_done=tables.not_done(content),
    environments=tables.environments(content),
    figures=[(one, Markup(one.inline)) for one in drawings],
    sweeps=[
      (s, command_line(s.command), json.dumps(s.base, indent=1)) for s in content.source.sweeps
    ],
    commands=commands(content),
    first=_first_config(content),
    seeds=", ".join(map(str, contents.seeds(content))),
    files=files,
  )


def template(name: str) -> jinja2.Template:
  """A page's template; all that is put into it is escaped."""
  return jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
  ).get_template(name)  # fmt: skip


def facts(content: Content) -> list[tuple[str, str]]:
  """What stands at the top of the page: how many runs, where, for how long."""
  states = [run.state for run in content.source.runs]
  counts = [f"{states.count(s)} {s}" for s in STATES if states.count(s)]
  seen = contents.environments(content)
  nets, features, classifiers, data = (
    sorted({str(run.config.get(section, {}).get(field, "")) for run in content.source.runs} - {""})
    for section, field in (
      ("net", "name"), ("pipeline", "features"), ("pipeline", "classifier"), ("data", "name")
    )
  )  # fmt: skip
  rows = [
    ("runs", ", ".join(counts)),
    ("groups", str(len(content.found))),
    ("seeds", _range(contents.seeds(content))),
    ("net", _few(nets)),
    ("features", _few(features)),
    ("classifier", _few(classifiers)),
    ("data", _few(data)),
    ("hardware", _few(_known(seen, "devices"))),
    ("time of all runs", words.duration(contents.total_seconds(content))),
    ("code hash", _few(_known(seen, "code hash"))),
  ]
  return [(name, value) for name, value in rows if value]


def commands(content: Content) -> list[str]:
  """The commands that no sweep tells, each once: of runs by themselves, and of pipelines, whose
  sweep grows with each command and keeps the last.
  """
  inside = {s.workdir.absolute() for s in content.source.sweeps}
  found = [
    command_line(run.record["argv"])
    for run in content.source.runs
    if run.record.get("argv")
    and ("pipeline" in run.config or run.folder.absolute().parent not in inside)
  ]
  told = {command_line(s.command) for s in content.source.sweeps}
  return [one for one in dict.fromkeys(found) if one not in told]


def command_line(argv: Sequence[str]) -> str:
  """What has to be typed for a program to see these words."""
  program, *words = argv
  if program.endswith("/jaxnets/__main__.py"):
    start = ["python", "-m", "jaxnets"]
  else:
    start = ["python", program] if program.endswith(".py") else [program]
  return shlex.join([*start, *words])


def _first_config(content: Content) -> str:
  """The config of the first run, where no sweep holds a base."""
  if content.source.sweeps or not content.found:
    return ""
  return json.dumps(content.found[0].group.runs[0].config, indent=1)


def _known(seen: list[dict[str, str]], name: str) -> list[str]:
  """Each value once, of the environments that tell it."""
  return list(dict.fromkeys(row[name] for row in seen if row.get(name)))


def _few(values: list[str]) -> str:
  more = f" and {len(values) - 3} more" if len(values) > 3 else ""
  return ", ".join(values[:3]) + more


def _range(seeds: list[int]) -> str:
  """ "5 (0 to 4)"."""
  if not seeds:
    return ""
  if len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1)):
    return f"{len(seeds)} ({seeds[0]} to {seeds[-1]})"
  return f"{len(seeds)} ({', '.join(map(str, seeds[:12]))}{', …' if len(seeds) > 12 else ''})"
