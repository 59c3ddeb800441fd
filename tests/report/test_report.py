"""The report's folder: what is in it, that it is the same twice, and that it needs nothing."""

import csv
import json
import os
import re
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pytest

from jaxnets.cli import main
from jaxnets.report.figures import saving, style
from jaxnets.sweep import aggregate, statistics
from tests.report.folders import SPEED, write_sweep

ROOT = Path(__file__).parents[2]
FIGURES = ("curves", "depth", "pareto", "speed", "sweep")
SCRIPT = "folder:<script>alert(1)</script>"
SIGNS = "a|b&c_%$x$"
# Two processes, two hash seeds; no JAX and no global figure in either.
PROBE = """
import sys
from jaxnets.cli import main
code = main(["launch.py", "report", *sys.argv[1:]])
print(code, sorted({"jax", "jaxlib", "flax", "matplotlib.pyplot"} & set(sys.modules)))
"""


class Made(NamedTuple):
  """A sweep and two reports of it."""

  sweep: Path
  first: Path
  second: Path
  said: list[str]


def accuracy(setting: dict, seed: int) -> float | str:
  if setting["net.depth"] == 20 and setting["data.name"] == SIGNS and seed == 2:
    return "diverged"
  return 0.8 + 0.003 * setting["net.depth"] + 0.001 * seed * (1 + (setting["data.name"] == SIGNS))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
  place = tmp_path_factory.mktemp("made")
  axes = {"net.depth": [8, 14, 20], "data.name": [SCRIPT, SIGNS]}
  sweep = write_sweep(
    place / "sweep", axes, [0, 1, 2], accuracy, question=f"Is {SCRIPT} & {SIGNS} shown as text?"
  )
  said = []
  for i in range(2):
    result = subprocess.run(
      [sys.executable, "-c", PROBE, str(sweep), f"--out={place / f'out{i}'}"],
      capture_output=True, text=True, cwd=ROOT, check=True,
      env={**os.environ, "PYTHONHASHSEED": str(i + 1)},
    )  # fmt: skip
    assert not result.stderr
    said.append(result.stdout)
  return Made(sweep, place / "out0", place / "out1", said)


@pytest.fixture(scope="module")
def numbers(made) -> dict:
  return json.loads((made.first / "report.json").read_text())


def contents(folder: Path) -> dict[str, bytes]:
  return {
    str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
  }


class Elements(HTMLParser):
  """Names and attributes of a page's elements, and its text."""

  def __init__(self, text: str):
    super().__init__()
    self.found: list[tuple[str, dict[str, str | None]]] = []
    self.text = ""
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    self.found.append((tag, dict(attrs)))

  def handle_data(self, data):
    self.text += data


def test_it_never_imports_jax_nor_makes_a_global_figure(made):
  assert [text.splitlines()[-1] for text in made.said] == ["0 []", "0 []"]


def test_two_processes_write_the_same_bytes(made):
  first, second = contents(made.first), contents(made.second)
  assert first.keys() == second.keys()
  assert [name for name in first if first[name] != second[name]] == []


def test_it_has_a_page_numbers_tables_data_and_every_figure_at_two_widths(made):
  names = set(contents(made.first))
  figures = {
    f"figures/{name}{width}.{form}"
    for name in FIGURES for width in ("", "_85mm") for form in ("svg", "png", "pdf")
  }  # fmt: skip
  tables = {
    f"tables/{name}.{form}" for name in ("results", "not_done") for form in ("csv", "md", "tex")
  }
  data = {f"data/{name}.csv" for name in ("groups", "runs", "curves")}
  assert names == {"index.html", "files.json", "report.json", *figures, *tables, *data}


@pytest.mark.parametrize(("width", "mm", "dots"), [("", 174, 200), ("_85mm", 85, 300)])
def test_figures_are_as_wide_as_they_say(made, width, mm, dots):
  for name in FIGURES:
    file = made.first / "figures" / f"{name}{width}"
    said = re.search(r'<svg [^>]*width="([\d.]+)pt"', file.with_suffix(".svg").read_text())
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", file.with_suffix(".pdf").read_bytes())
    assert said
    assert box
    assert [float(said[1]), float(box[1])] == pytest.approx([72 * mm / 25.4] * 2, abs=0.01)
    across = struct.unpack(">I", file.with_suffix(".png").read_bytes()[16:20])[0]
    assert across == pytest.approx(dots * mm / 25.4, abs=1)


def test_no_file_names_the_folders_it_was_made_in(made):
  for name, data in contents(made.first).items():
    assert str(made.sweep.parent).encode() not in data, name


def test_its_numbers_are_those_of_aggregate_and_statistics(made, numbers):
  groups = aggregate.group(aggregate.read([made.sweep]))
  assert len(groups) == len(numbers["groups"]) == 6
  base = {seed: 0.824 + 0.001 * seed for seed in range(3)}
  ps = []
  for one, told in zip(groups, numbers["groups"], strict=True):
    planted = {
      run.config["seed"]: run.summary["metrics"]["test_top1"]
      for run in one.runs if run.state == "done"
    }  # fmt: skip
    assert told["values_by_seed"] == {str(seed): value for seed, value in planted.items()}
    assert told["summary"] == statistics.summarise(planted.values())._asdict()
    assert told["params"] == one.runs[0].summary["params"]
    assert told["runs"]["done"] == len(planted)
    if told["difference"]:
      difference = statistics.paired(base, planted)
      assert told["difference"]["mean"] == pytest.approx(difference.mean)
      assert told["difference"]["n"] == difference.n
      ps.append(told["difference"]["p"])
  told = [one["p_holm"] for one in numbers["groups"][1:]]
  assert told == statistics.holm(ps)


def test_tables_and_data_have_the_same_numbers(made, numbers):
  with open(made.first / "tables" / "results.csv") as file:
    rows = list(csv.DictReader(file))
  for row, one in zip(rows, numbers["groups"], strict=True):
    assert float(row["test_top1_mean"]) == one["summary"]["mean"]
    assert int(row["runs_diverged"]) == one["runs"]["diverged"]
  with open(made.first / "data" / "runs.csv") as file:
    runs = [row for row in csv.DictReader(file) if row["metric"] == "test_top1"]
  values = [float(v) for one in numbers["groups"] for v in one["values_by_seed"].values()]
  assert [float(row["value"]) for row in runs] == values
  page = Elements((made.first / "index.html").read_text()).text
  for one in numbers["groups"]:
    assert f"{100 * one['summary']['mean']:.2f} ±" in page


def test_measured_speed_is_in_every_table(made, numbers):
  speeds = [SPEED / one["axes"]["net.depth"] for one in numbers["groups"]]
  assert [one["images_per_second"] for one in numbers["groups"]] == pytest.approx(speeds)
  with open(made.first / "data" / "groups.csv") as file:
    rows = list(csv.DictReader(file))
  assert [float(row["images_per_second"]) for row in rows] == pytest.approx(speeds)
  with open(made.first / "data" / "runs.csv") as file:
    runs = {row["run"]: row for row in csv.DictReader(file)}
  for row in runs.values():
    if row["state"] == "done":
      assert float(row["images_per_second"]) == pytest.approx(SPEED / int(row["net.depth"]))
  markdown = (made.first / "tables" / "results.md").read_text()
  assert "| images/s |" in markdown
  assert "| 525 | 3 done |" in markdown
  assert any("compare within this sweep only" in note for note in numbers["notes"])


def test_a_run_that_diverged_is_listed_with_its_error(made, numbers):
  (lost,) = numbers["not_done"]
  assert lost["state"] == "diverged"
  assert lost["seed"] == 2
  page = Elements((made.first / "index.html").read_text()).text
  assert lost["run"] in page
  assert lost["error"].splitlines()[0] in page
  assert "1 run diverged and counts in no mean" in numbers["verdict"]["sentence"]
  assert lost["run"] in (made.first / "tables" / "not_done.csv").read_text()


def test_config_strings_are_text_and_never_markup(made):
  text = (made.first / "index.html").read_text()
  page = Elements(text)
  assert SCRIPT in page.text
  assert SIGNS in page.text
  assert "<script" not in text.lower()
  for name in FIGURES:
    assert "<script" not in (made.first / "figures" / f"{name}.svg").read_text().lower()
  markdown = (made.first / "tables" / "results.md").read_text()
  assert "a\\|b&amp;c\\_%$x$" in markdown
  assert "<script" not in markdown
  pipes = {len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines() if line[:1] == "|"}
  assert len(pipes) == 1
  latex = (made.first / "tables" / "results.tex").read_text()
  assert r"a\textbar{}b\&c\_\%\$x\$" in latex
  assert r"\textless{}script\textgreater{}" in latex
  rows = latex[latex.index("\\midrule") : latex.index("\\bottomrule")].splitlines()[1:]
  assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(rows[0].split(" & ")) - 1}


def test_the_page_asks_for_nothing_from_anywhere(made):
  text = (made.first / "index.html").read_text()
  for tag, attributes in Elements(text).found:
    assert tag not in ("script", "iframe", "object", "embed", "img")
    for name in ("src", "href", "xlink:href", "data", "action"):
      target = attributes.get(name) or ""
      assert ":" not in target or target == "data:,", (tag, target)
      if target and not target.startswith(("#", "data:")):
        assert (made.first / target).is_file()
  assert "@import" not in text
  assert not re.search(r"url\((?!#)", text)
  assert set(re.findall(r"https?://[\w./]+", text)) <= {
    "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
  }  # fmt: skip


def test_figures_on_the_page_are_named_and_their_ids_are_their_own(made):
  found = Elements((made.first / "index.html").read_text()).found
  figures = [attributes for tag, attributes in found if tag == "svg"]
  assert len(figures) == len(FIGURES)
  assert all(one["role"] == "img" and len(one["aria-label"] or "") > 30 for one in figures)
  ids = [attributes["id"] for _, attributes in found if attributes.get("id")]
  assert len(ids) == len(set(ids))
  used = {
    (attributes.get("xlink:href") or "")[1:] for tag, attributes in found if tag == "use"
  }  # fmt: skip
  assert used <= set(ids)


def test_the_page_says_how_to_reproduce_it(made):
  text = Elements((made.first / "index.html").read_text()).text
  for needed in ("experiments/planted.py", "python launch.py sweep", "4dd4acdf7828", '"steps": 100',
                 "0.10.2", "Seeds: 0, 1, 2"):  # fmt: skip
    assert needed in text


def test_forty_groups_of_five_seeds_stay_below_five_megabytes(tmp_path, monkeypatch):
  # The page holds the wide figures alone, as SVG.
  monkeypatch.setattr(saving, "FORMS", ("svg",))
  monkeypatch.setattr(style, "PAGES", (style.WIDE,))
  axes = {"net.depth": [8, 14, 20, 26, 32], "net.width": [0.5, 1.0, 1.5, 2.0],
          "net.shortcut": ["none", "A"]}  # fmt: skip
  sweep = write_sweep(
    tmp_path / "sweep", axes, range(5),
    lambda s, seed: 0.7 + 0.004 * s["net.depth"] + 0.02 * s["net.width"] + 0.001 * (seed % 3),
    points=160,
  )  # fmt: skip
  assert main(["launch.py", "report", str(sweep)]) == 0
  assert (sweep / "report" / "index.html").stat().st_size < 5_000_000


def test_a_missing_extra_is_said_in_two_lines(made, monkeypatch, capsys):
  monkeypatch.setitem(sys.modules, "jinja2", None)
  assert main(["launch.py", "report", str(made.sweep), f"--out={made.first}"]) == 3
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 2
  assert "jinja2" in lines[0]
  assert lines[1] == 'pip install "jaxnets[report]"'


def test_a_folder_with_other_things_is_left_as_it_is(made, tmp_path, capsys):
  (tmp_path / "data").mkdir()
  (tmp_path / "data" / "precious").write_text("x")
  assert main(["launch.py", "report", str(made.sweep), f"--out={tmp_path}"]) == 2
  assert "holds other things" in capsys.readouterr().err
  assert (tmp_path / "data" / "precious").exists()
