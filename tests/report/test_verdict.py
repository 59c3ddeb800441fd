"""The verdict of planted cases, and the pages of sweeps that have little to say."""

import json
import random
import re

import pytest

from jaxnets import report
from jaxnets.cli import main
from jaxnets.errors import ConfigError
from jaxnets.report.content import gather
from jaxnets.report.figures import saving, style
from jaxnets.sweep import aggregate
from tests.report.folders import PROTOCOL, write, write_sweep


@pytest.fixture(autouse=True)
def _plain_figures(monkeypatch):
  """As SVG for a wide page: how they look is tested in test_figures.py."""
  monkeypatch.setattr(saving, "FORMS", ("svg",))
  monkeypatch.setattr(style, "PAGES", (style.WIDE,))


def noise(setting, seed, size=0.002):
  return random.Random(f"{setting} {seed}").gauss(0, size)


def content(sweep, metric="test_top1", by=(), mixed=False):
  source = report.read([sweep])
  return gather(source, aggregate.group(source.runs, by), metric, mixed=mixed)


def test_a_clear_difference_is_stated_with_effect_interval_and_n(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"]}, range(5),
    lambda s, seed: 0.90 + 0.02 * (s["net.shortcut"] == "A") + noise(s, seed),
  )  # fmt: skip
  found = content(sweep)
  verdict, difference = found.verdict, found.found[1].difference
  assert verdict.kind == "different"
  assert verdict.better == [1]
  assert verdict.sentence.startswith(
    "shortcut=A is better than shortcut=none in test top-1 accuracy: "
    f"+{100 * difference.mean:.2f} points (95 % interval +{100 * difference.low:.2f} to "
    f"+{100 * difference.high:.2f}, n = 5 pairs, p"
  )


def test_a_lower_loss_is_better(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"]}, range(5),
    lambda s, seed: 0.90 + 0.02 * (s["net.shortcut"] == "A") + noise(s, seed),
  )  # fmt: skip
  verdict = content(sweep, "test_loss").verdict
  assert verdict.better == [1]
  assert "is better than shortcut=none in test loss" in verdict.sentence


def test_no_difference_is_not_separable_and_says_what_could_have_been_found(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"]}, range(3),
    lambda s, seed: 0.90 + noise(s, seed),
  )  # fmt: skip
  verdict = content(sweep).verdict
  assert verdict.kind == "same"
  assert verdict.open == [1]
  assert "not separable" in verdict.sentence
  assert f"underpowered: with 3 pairs of this spread only a true difference of " \
         f"{100 * verdict.detectable:.2f} points" in verdict.sentence  # fmt: skip


def test_what_fails_the_correction_is_no_evidence(tmp_path):
  # Six variants, each alone at p = 0.03: after Holm's correction none of them counts.
  shifts = {0: -0.001, 1: 0.0, 2: 0.001}
  sweep = write_sweep(
    tmp_path / "s", {"net.depth": [8, 14, 20, 26, 32, 38, 44]}, range(3),
    lambda s, seed: 0.9 if s["net.depth"] == 8 else 0.9 + 0.0033 + shifts[seed],
  )  # fmt: skip
  found = content(sweep)
  assert all(0.01 < one.difference.p < 0.05 < one.p for one in found.found[1:])
  assert found.verdict.kind == "same"
  assert found.verdict.sentence.startswith("None of 6 variants is separable")
  assert "excludes 0 by itself, which among so many comparisons is no evidence" in (
    found.verdict.sentence
  )


def test_one_seed_gives_no_verdict(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"]}, [3],
    lambda s, seed: 0.90 + 0.05 * (s["net.shortcut"] == "A"),
  )  # fmt: skip
  found = content(sweep)
  assert found.verdict.kind == "seed"
  assert found.verdict.sentence.startswith("One seed (n = 1) gives no verdict")
  assert "better" not in found.verdict.sentence
  assert any(note.startswith("†") for note in found.notes)


def test_equal_differences_on_all_seeds_are_no_certainty(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"]}, range(3),
    lambda s, seed: 0.5 + 0.25 * (s["net.shortcut"] == "A"),
  )  # fmt: skip
  verdict = content(sweep).verdict
  assert verdict.kind == "untested"
  assert "+25.00 points on each of 3 common seeds" in verdict.sentence
  assert "no interval and no test" in verdict.sentence


def test_runs_that_diverged_or_failed_are_told_of(tmp_path):
  def ends(setting, seed):
    if setting["net.shortcut"] == "none" or seed < 2:
      return 0.9 + noise(setting, seed)
    return "diverged" if seed < 4 else "failed"

  sweep = write_sweep(tmp_path / "s", {"net.shortcut": ["none", "A"]}, range(5), ends)
  sentence = content(sweep).verdict.sentence
  assert sentence.endswith("2 runs diverged and 1 run failed and count in no mean.")


def test_a_variant_that_only_diverged_is_without_a_test(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A", "B"]}, range(3),
    lambda s, seed: "diverged" if s["net.shortcut"] == "B" else 0.9 + noise(s, seed),
  )  # fmt: skip
  verdict = content(sweep).verdict
  assert verdict.untested == [2]
  assert "1 of 2 variants is without a test" in verdict.sentence


def test_degradation_is_told_of_both_errors(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"], "net.depth": [20, 56]}, range(5),
    lambda s, seed: 0.9 - 0.03 * (s["net.depth"] == 56) * (s["net.shortcut"] == "none")
    + noise(s, seed),
    train=lambda s, seed: 0.98 - 0.05 * (s["net.depth"] == 56) * (s["net.shortcut"] == "none")
    + noise(s, -seed),
  )  # fmt: skip
  plain, residual = content(sweep).depth
  assert plain.setting == "shortcut=none"
  assert plain.train.mean == pytest.approx(-0.05, abs=0.004)
  assert plain.test.mean == pytest.approx(-0.03, abs=0.004)
  assert plain.train_p < 0.05 < residual.train_p
  from jaxnets.report.verdict import say_depth_changes

  first, second, last = say_depth_changes([plain, residual], "test_top1", 0.95)
  assert "from depth 20 to 56 the train error rises by" in first
  assert "not separable" in second
  assert "Holm" in last


def test_two_protocols_stand_together_only_when_asked_to(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.shortcut": ["none", "A"]}, range(2), lambda s, seed: 0.9 + noise(s, seed)
  )
  for path in sweep.glob("shortcut=A*/summary.json"):
    summary = json.loads(path.read_text())
    assert summary["metrics"]["protocol"] == PROTOCOL
    summary["metrics"]["protocol"] = "ten views"
    write(path, summary)
  with pytest.raises(ConfigError, match="several protocols"):
    content(sweep)
  assert any("no ranking" in note for note in content(sweep, mixed=True).notes)


POOR = {
  "nothing is done": ({"net.depth": [14, 20]}, [0, 1], "waiting"),
  "all diverged": ({"net.depth": [14, 20]}, [0, 1], "diverged"),
  "one group": ({}, [0, 1], 0.9),
  "one run": ({}, [0], 0.9),
  "all equal": ({"net.activation": ["relu", "gelu"]}, [0, 1], 0.9),
}


@pytest.mark.parametrize("case", POOR)
def test_a_sweep_with_little_to_say_has_a_page_all_the_same(case, tmp_path, capsys):
  axes, seeds, result = POOR[case]
  sweep = write_sweep(tmp_path / "s", axes, seeds, lambda s, seed: result, points=2)
  assert main(["launch.py", "report", str(sweep), "--format=json"]) == 0
  said = json.loads(capsys.readouterr().out)
  assert said["verdict"]["kind"] in ("nothing", "single", "untested")
  page = (sweep / "report" / "index.html").read_text()
  assert said["verdict"]["sentence"] in page.replace("&#39;", "'")
  assert "nan" not in page.lower().replace("variant", "")


def test_run_folders_without_a_sweep_or_metrics_have_a_page_too(tmp_path):
  sweep = write_sweep(
    tmp_path / "s", {"net.depth": [14, 20]}, [0, 1], lambda s, seed: 0.9 + noise(s, seed)
  )
  (sweep / "sweep.json").unlink()
  for path in sweep.glob("*/metrics.jsonl"):
    path.unlink()
  out = tmp_path / "out"
  assert main(["launch.py", "report", str(sweep), f"--out={out}", "--baseline=depth=20"]) == 0
  numbers = json.loads((out / "report.json").read_text())
  assert [one["label"] for one in numbers["groups"]] == ["depth=20", "depth=14"]
  assert not (out / "figures" / "curves.svg").exists()
  text = re.sub(r"<[^>]+>", "", (out / "index.html").read_text())
  assert "launch.py sweep --worker" in text


def test_a_difference_without_a_test_is_not_passed_over_in_silence(tmp_path):
  # Depth 20 differs by the same amount on both seeds: no spread, so no test.
  values = {8: [0.90, 0.91], 14: [0.88, 0.92], 20: [0.80, 0.81]}
  sweep = write_sweep(
    tmp_path / "s", {"net.depth": [8, 14, 20]}, range(2),
    lambda s, seed: values[s["net.depth"]][seed],
  )  # fmt: skip
  verdict = content(sweep).verdict
  assert verdict.untested == [2]
  assert "the largest difference that can be tested is that of depth=14" in verdict.sentence
  assert "1 of 2" in verdict.sentence
