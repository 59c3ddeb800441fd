"""The sentences that arithmetic decides; the numbers here are those of the papers and of sums."""

import csv
import io
import json
import re

import pytest

from jaxnets.claims import static
from jaxnets.claims.claim import changed, check
from jaxnets.cli import main

# The beginning of a sentence -> what must have been counted for it.
COUNTED = {
  "Three 3x3 convolutions see as much": (7, 5),
  "One 7x7 convolution has 81 %": (49, 27),
  "Two 3x3 convolutions have 28 %": (25, 18),
  "A 3x3 convolution of 512 to 512": (9 * 512 * 512, 28**2 * 9 * 512**2, 14**2 * 9 * 512**2),
  "Fully connected layers hold about 90 % of AlexNet's parameters": (58_631_144, 60_965_224),
  "Fully connected layers hold 90 % of VGG-16": (123_642_856, 138_357_544),
  "Reduction to 16 channels": (25 * 32 * 192, 16 * 192 + 25 * 32 * 16),
  "Reductions make the whole": (303_464_448, 128_049_152),
  "GoogLeNet has 12 times fewer": (60_965_224, 6_998_552),
  "GoogLeNet is much smaller": (138_357_544, 6_998_552, 15_470_264_320, 1_582_671_872),
  "ResNet-50 has 3.8 GFLOPs": (3_857_973_248, 4_089_184_256),
  "ResNet-152 is cheaper": (11_282_415_616, 11_513_626_624, 15_470_264_320, 19_632_062_464),
  "AlexNet's first convolution": (55 * 55 * 96,),
  "The number in a ResNet's name": (18, 34, 50, 101, 152),
}


@pytest.fixture(scope="module")
def rows():
  return static.rows(check)


def test_no_verdict_rests_on_other_numbers_than_ours(rows):
  assert not [row for row in rows if changed(row)]
  assert {row.verdict for row in rows} == {
    "holds", "imprecise", "wrong", "not found in the paper",
  }  # fmt: skip
  assert all(row.sentence and row.usual and row.found and row.note for row in rows)
  assert len({row.sentence for row in rows}) == len(rows)
  assert rows == static.rows()  # what a page says without counting is what counting gives


@pytest.mark.parametrize("beginning", COUNTED)
def test_the_numbers_are_those_of_the_papers(beginning):
  found = [claim for claim in static.CLAIMS if claim.sentence.startswith(beginning)]
  assert found
  assert found[0].compute()[: len(COUNTED[beginning])] == COUNTED[beginning]


def test_the_famous_shares_are_said(rows):
  said = " ".join(row.found for row in rows)
  for share in (
    "96.17%",
    "95.96%",
    "89.36%",
    "14.65%",
    "8.02%",
    "91.91%",
    "99.20%",
    "9.68",
    "8.71",
  ):
    assert share in said


# The beginning of a sentence -> errors in percent, as the tables of the papers print them.
PRINTED = {
  "VGG's top-5": (8.0, 7.5, 7.1, 7.0, 7.3),
  "GoogLeNet's top-5": (10.07, 9.15, 7.89, 6.67),
  "ResNet-152's top-5": (5.71, 4.49, 3.57),
}


@pytest.mark.parametrize("beginning", PRINTED)
def test_accuracies_are_what_the_printed_errors_leave(beginning):
  (quoted,) = [row for row in static.rows() if row.sentence.startswith(beginning)]
  assert quoted.by == "printed"
  found = [float(number) for number in re.findall(r"(\d+\.\d+) %", quoted.found)]
  assert found == [round(100 - error, 2) for error in PRINTED[beginning]]


def test_numbers_that_a_verdict_does_not_rest_on_end_the_command_with_1(monkeypatch, capsys):
  claim = static.CLAIMS[0]
  monkeypatch.setattr(static, "CLAIMS", (claim._replace(expected=(9, 9)),))
  assert main(["launch.py", "claims", "static"]) == 1
  assert "changed" in capsys.readouterr().out


def test_every_format_holds_every_sentence(rows, capsys):
  def out(form):
    assert main(["launch.py", "claims", "static", f"--format={form}"]) == 0
    return capsys.readouterr().out

  assert [row["sentence"] for row in json.loads(out("json"))] == [row.sentence for row in rows]
  assert len(list(csv.DictReader(io.StringIO(out("csv"))))) == len(rows)
  assert len(out("md").splitlines()) == len(rows) + 2
  text = out("text")
  assert text.count("    verdict ") == len(rows)
  assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
  ("words", "said"),
  [
    ((), "claims static"),
    (("statc",), 'Did you mean "static"?'),
    (("static", "more"), "claims static"),
    (("run", "C99"), "claims list"),
    (("run", "C15"), "--workdir"),
    (("report",), "claims report"),
    (("report", "nowhere"), "there is no folder nowhere"),
    (("report", ".", "--dry_run"), "Leave out --dry_run"),
  ],
)
def test_other_words_are_refused_in_two_lines(words, said, capsys):
  assert main(["launch.py", "claims", *words]) == 2
  error = capsys.readouterr().err
  assert len(error.splitlines()) == 2
  assert said in error
