"""The gallery's page, of planted runs."""

import json
import math
import re
from pathlib import Path

import pytest

from jaxnets.claims import gallery, judge, said, static
from jaxnets.claims.trained import CLAIMS
from jaxnets.claims.verdicts import Judged
from tests.claims.test_trained import arm

pytest.importorskip("matplotlib")
ERRORS = {"first": (0.1, 0.11, 0.12, 0.1, 0.1), "second": (0.2, 0.22, 0.21, 0.2, 0.24)}


SAID = {"C15": ["the laptop agrees"]}


def made(out):
  contrasts = CLAIMS["C15"].study("cpu").contrasts
  arms = {"plain-20": arm(*ERRORS["first"]), "plain-56": arm(*ERRORS["second"])}
  arms = {
    name: [{seed: run._replace(folder=out.parent / str(run.folder)) for seed, run in some.items()}
           for some in tried] for name, tried in arms.items()
  }  # fmt: skip
  verdict = judge.judge(contrasts, arms)
  page = gallery.make("cpu", Judged({"C15": verdict}, {"C15": arms}), SAID, out.parent, out)
  return page, verdict


def test_the_page_says_what_the_runs_say(tmp_path):
  page, verdict = made(tmp_path / "gallery")
  text = page.read_text()
  assert CLAIMS["C15"].sentence in text
  assert text.count(f"word {verdict.word}") == 2  # in the list and on the claim's screen
  mean = sum(100 * (b - a) for a, b in zip(*ERRORS.values(), strict=True)) / 5
  assert f"test error, plain-56 against plain-20: +{mean:.2f} points" in text
  numbers = json.loads((tmp_path / "gallery" / "gallery.json").read_text())
  assert numbers[1]["difference"] == pytest.approx(mean)
  for link in re.findall(r'href="(figures/[^"]+)"', text):
    assert (tmp_path / "gallery" / link).stat().st_size > 1000
  assert "<script" not in text
  assert "The laptop agrees" in text
  assert text.count("<svg") == 1
  assert numbers[0]["runs"].count("; ") == 9
  assert {row["sizes"] for row in numbers} == set(SAID["C15"])
  assert "these nets have batch norm, and their gradients reach the first layers" in text
  folders = re.findall(r'<li><a href="([^"]+)/"', text)
  assert len(folders) == 10
  assert all(Path(folder).parts[0] == ".." for folder in folders)


def test_a_measure_that_no_contrast_names_is_shown_too(tmp_path):
  values = {
    "test error": {"plain-20": {0: 1.0, 1: 2.0}, "plain-56": {0: 3.0, 1: 5.0}},
    "break-even": {"sparse": {0: 90.0, 1: 91.0}},
  }
  verdict = judge.weigh(CLAIMS["C15"].study("cpu").contrasts[1:2], values)
  shown = gallery.screen(CLAIMS["C15"], "cpu", verdict, [])
  assert [strip.name for strip in shown.strips] == ["test error, %", "break-even"]
  page = gallery.make("cpu", Judged({"C15": verdict}, {"C15": {}}), {}, tmp_path, tmp_path / "out")
  assert page.read_text().count("<svg") == 1


def test_a_claim_on_prepared_images_is_reproduced_with_their_folder():
  claim, verdict = CLAIMS["C15"], judge.weigh([], {"test error": {"plain-20": {3: 1.0, 5: 2.0}}})
  embedded, prepared = (gallery.screen(claim, size, verdict, []) for size in ("cpu", "laptop"))
  assert "--size=cpu --seeds=3,5 --workdir=DIR" in embedded.command
  assert "--seeds=3,5 --data_dir=DATA" in prepared.command


def test_what_must_stay_below_a_limit_is_drawn_as_it_is_told():
  one = next(c for c in CLAIMS["C15"].study("cpu").contrasts if c.second is None)
  arm_of = {str(one.first): {0: math.log(0.2), 1: math.log(0.8)}}
  verdict = judge.weigh([one], {one.measure.name: arm_of})
  ((drawn,),) = (
    forest.intervals for forest in gallery.screen(CLAIMS["C15"], "cpu", verdict, []).forests
  )
  assert math.exp(drawn.mean) == pytest.approx(0.4)
  assert drawn.low < drawn.mean < drawn.high
  assert f"must stay below {one.measure.say(drawn.limit)}" in said.finding(verdict.findings[0])


def test_the_page_shows_what_is_told_otherwise_than_it_is(tmp_path):
  text = made(tmp_path / "gallery")[0].read_text()
  other = [row for row in static.rows() if row.verdict != "holds"]
  below = text[text.index('id="told"') :]
  assert below.count("<tr><td") == len(other) > 10
  assert "In AlexNet dropout follows every fully connected layer" in below
  assert "counted: 2 of 3" in below
  assert "single nets: 7.0 % of VGG, 7.9 % of GoogLeNet" in below
  assert f"{len(static.rows()) - len(other)} more sentences hold" in below


def test_a_claim_that_a_size_cannot_decide_has_a_row_that_says_why(tmp_path):
  judged = Judged({"C19": judge.weigh((), {})}, {"C19": {}})
  (row,) = said.table(judged, "cpu", tmp_path, {})
  assert (row["claim"], row["verdict"], row["n"]) == ("C19", "underpowered", 0)
  assert "1,202 layers" in row["why"]


def test_the_same_runs_give_the_same_bytes(tmp_path):
  one, two = made(tmp_path / "a" / "gallery")[0], made(tmp_path / "b" / "gallery")[0]
  files = sorted(p.relative_to(one.parent) for p in one.parent.rglob("*.*"))
  assert len(files) == 9  # page, list, numbers, a figure in two widths and three forms
  for file in files:
    assert (one.parent / file).read_bytes() == (two.parent / file).read_bytes()


def test_runs_that_are_not_done_leave_places_empty(tmp_path):
  contrasts = CLAIMS["C15"].study("cpu").contrasts
  for done in ({}, {"plain-20": arm(0.1, 0.2)}):
    arms = {name: done.get(name, [{}]) for name in ("plain-20", "plain-56")}
    verdict = judge.judge(contrasts, arms)
    assert verdict.word == "unfinished"
    out = tmp_path / f"{len(done)}"
    page = gallery.make("cpu", Judged({"C15": verdict}, {"C15": arms}), {}, tmp_path, out)
    assert page.read_text().count("<svg") == len(done)
