"""Claims that training decides: their studies, and their verdicts on planted runs."""

import csv
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets import cost, data
from jaxnets.claims import judge, ledger, said, verdicts
from jaxnets.claims.judge import decide
from jaxnets.claims.measures import MACS, TEST_ERROR, TRAIN_ERROR, steps_to
from jaxnets.claims.study import SIZES, Contrast, Study, Trial, find
from jaxnets.claims.trained import CLAIMS, identity, signals
from jaxnets.errors import ConfigError
from jaxnets.runs import Run
from jaxnets.sweep import equal, statistics

ROOT = Path(__file__).parents[2]


def run(error=0.1, validation=0.5, state="done", folder="x", **summary):
  """A run with a test error."""
  metrics = {"test_top1": 1 - error, "train_top1": 1 - error / 2, "validation_top1": validation}
  done = {"metrics": metrics, "step": 100} | summary if state == "done" else {}
  return Run(Path(folder), state, "", None, {"train": {"log_every": 10}}, done, {})


def arm(*errors, **more):
  return [{seed: run(error, folder=f"{errors}{seed}", **more) for seed, error in enumerate(errors)}]


WORSE = Contrast("b is worse than a", "a", "b", TEST_ERROR)


@pytest.mark.parametrize(
  ("second", "exceeds", "word"),
  [
    ((0.20, 0.22, 0.22, 0.21), 0.0, "supported"),
    ((0.20, 0.22, 0.22, 0.21), 20.0, "refuted"),
    ((0.05, 0.05, 0.06, 0.04), 0.0, "refuted"),
    ((0.05, 0.21, 0.01, 0.20), 0.0, "underpowered"),
    ((0.10, 0.12, 0.12, 0.11), -0.5, "supported"),  # at most half a point less
    ((0.20,), 0.0, "underpowered"),
  ],
)
def test_an_interval_beyond_the_limit_decides(second, exceeds, word):
  contrast = WORSE._replace(exceeds=exceeds)
  verdict = judge.judge([contrast], {"a": arm(0.1, 0.11, 0.12, 0.1), "b": arm(*second)})
  assert verdict.word == word
  if len(second) == 1:
    assert verdict.findings[0].why == "one seed gives no verdict"


def test_a_claim_holds_where_all_of_it_does_and_falls_with_a_part():
  arms = {"a": arm(0.1, 0.11, 0.12, 0.1), "b": arm(0.2, 0.23, 0.22, 0.19)}
  two = [WORSE, Contrast("", "a", "b", TRAIN_ERROR)]
  assert judge.judge(two, arms).word == "supported"
  assert judge.judge([WORSE, WORSE._replace(exceeds=50.0)], arms).word == "refuted"
  wide = {"a": arm(0.1, 0.2, 0.3, 0.1), "b": arm(0.2, 0.21, 0.22, 0.19)}
  assert judge.judge([WORSE, WORSE._replace(exceeds=-90.0)], wide).word == "underpowered"


def test_the_intervals_of_a_claim_hold_together():
  arms = {"a": arm(0.1, 0.11, 0.12, 0.1), "b": arm(0.2, 0.22, 0.21, 0.2)}
  (alone,) = judge.judge([WORSE], arms).findings
  first, _, mirrored = judge.judge(
    [WORSE, Contrast("", "a", "b", TRAIN_ERROR), Contrast("", "b", "a", TEST_ERROR)], arms
  ).findings
  values = [{i: 100 * e for i, e in enumerate(es)} for es in
            ((0.1, 0.11, 0.12, 0.1), (0.2, 0.22, 0.21, 0.2))]  # fmt: skip
  assert alone.difference.low == pytest.approx(statistics.paired(*values, 0.95).low)
  # Two measures are two intervals; limits on either side of one difference share one.
  assert first.difference.low == pytest.approx(statistics.paired(*values, 0.975).low)
  assert mirrored.difference.high == pytest.approx(-first.difference.low)


def test_nets_that_are_equal_are_found_different_in_at_most_a_twentieth_of_studies():
  draw, found, studies = random.Random(0), 0, 2000
  for _ in range(studies):
    pairs = [{s: draw.gauss(10, 1) for s in range(5)} for _ in range(2)]
    level = 1 - (1 - judge.LEVEL) / 2
    difference = statistics.paired(*pairs, level)
    verdicts = {decide(WORSE, difference).verdict, decide(WORSE, _flipped(difference)).verdict}
    found += verdicts != {"underpowered"}
  # Each contrast errs on either side of zero: its 97.5 % interval leaves 0 out in 2.5 % of studies.
  assert found / studies < 0.025 + 3 * math.sqrt(0.025 * 0.975 / studies)
  assert found > 0


def _flipped(difference):
  return difference._replace(mean=-difference.mean, low=-difference.high, high=-difference.low)


def test_what_is_tried_is_chosen_on_validation_images_not_on_test_images():
  bad_on_test = arm(0.4, 0.41, 0.4, validation=0.9)
  good_on_test = arm(0.0, 0.01, 0.0, validation=0.2)
  arms = {"a": arm(0.1, 0.12, 0.11), "b": [*good_on_test, *bad_on_test]}
  verdict = judge.judge([WORSE], arms)
  assert verdict.chosen == {"b": 1}
  assert verdict.word == "supported"


def test_what_is_tried_may_be_chosen_by_another_measure():
  tried = [*arm(0.4, 0.41, 0.4, validation=0.9), *arm(0.0, 0.01, 0.0, validation=0.2)]
  verdict = judge.judge([WORSE], {"a": arm(0.1, 0.12, 0.11), "b": tried}, TEST_ERROR)
  assert verdict.chosen == {"b": 1}
  assert verdict.word == "refuted"


def with_states(errors, *states, **more):
  """An arm with runs that are not done: None for one that is."""
  (runs,) = arm(*errors, **more)
  for seed, state in enumerate(states):
    if state:
      runs[seed] = run(state=state, folder=f"{state}{seed}")
  return [runs]


@pytest.mark.parametrize(("which", "seed"), [("a", 4), ("b", 0)])
@pytest.mark.parametrize(
  ("state", "word", "why"),
  [
    ("diverged", "underpowered", "1 of 5 runs of {} diverged"),
    ("failed", "unfinished", "1 of 5 runs of {} are not done"),
    ("waiting", "unfinished", "1 of 5 runs of {} are not done"),
    ("interrupted", "unfinished", "1 of 5 runs of {} are not done"),
  ],
)
def test_runs_that_are_left_out_would_be_chosen_by_the_result(which, seed, state, word, why):
  errors = {"a": (0.1, 0.11, 0.12, 0.1, 0.11), "b": (0.2, 0.22, 0.21, 0.2, 0.24)}
  arms = {name: arm(*own) for name, own in errors.items()}
  assert judge.judge([WORSE], arms).word == "supported"
  states = [state if i == seed else None for i in range(5)]
  verdict = judge.judge([WORSE], arms | {which: with_states(errors[which], *states)})
  assert verdict.word == word
  assert verdict.findings[0].why == why.format(which)
  assert said.lost(verdict) == [f"{which}: 1 {state}"]


def test_a_table_tells_ratios_and_what_must_stay_below_as_it_is():
  more = Contrast("b costs thrice", "a", "b", MACS, math.log(3))
  less = Contrast("a errs less than in 30 of 100", "a", None, TEST_ERROR, -30.0)
  arms = {"a": arm(0.2, 0.22, 0.21, macs=100), "b": arm(0.1, 0.1, 0.1, macs=400)}
  verdict = judge.judge([more, less], arms)
  judged = verdicts.Judged({"C1": verdict}, {"C1": arms})
  first, second = said.table(judged, "cpu", Path(), {})
  assert first["difference"] == pytest.approx(4.0)
  assert (first["must"], first["limit"]) == ("exceed", pytest.approx(3.0))
  assert second["difference"] == pytest.approx(21.0)
  assert second["low"] < 21 < second["high"]
  assert (second["must"], second["limit"]) == ("stay below", 30.0)


def test_nothing_counts_as_chosen_until_all_that_is_tried_has_ended():
  full, a = arm(0.2, 0.21, 0.23), arm(0.1, 0.12, 0.11)
  waiting = with_states((0.0, 0.0, 0.0), "waiting", "waiting", "waiting")
  verdict = judge.judge([WORSE], {"a": a, "b": [*full, *waiting]})
  assert (verdict.word, verdict.chosen) == ("unfinished", {})
  broken = with_states((0.0, 0.0, 0.0), "diverged")
  verdict = judge.judge([WORSE], {"a": a, "b": [*broken, *full]})
  assert (verdict.word, verdict.chosen) == ("supported", {"b": 1})
  assert said.lost(verdict) == ["b: 1 diverged of what was tried and not chosen"]
  verdict = judge.judge([WORSE], {"a": a, "b": [*broken, *broken]})
  assert verdict.word == "underpowered"
  assert "nothing that was tried for b" in verdict.findings[0].why


def test_what_never_got_there_refutes_nothing_by_having_ended_early(tmp_path):
  def reaching(*steps):
    runs = {}
    for seed, step in enumerate(steps):
      place = tmp_path / f"{steps}{seed}"
      place.mkdir(exist_ok=True)
      rows = [{"step": s, "split": "train", "top1": float(s >= step), "count": 10}
              for s in range(10, 101, 10)]  # fmt: skip
      (place / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
      runs[seed] = run(folder=place)
    return [runs]

  never, fast, slow = 1000, reaching(30, 40, 30, 40), reaching(80, 90, 90, 80)
  thrice = Contrast("b takes three times as long", "a", "b", steps_to(20), math.log(3))
  verdict = judge.judge([thrice], {"a": slow, "b": fast})
  assert verdict.word == "refuted"
  censored = {"a": reaching(50, 60, 50, 60), "b": reaching(never, never, 100, 100)}
  verdict = judge.judge([thrice], censored)  # 100 / 55 at least, and who knows how much more
  assert verdict.word == "underpowered"
  assert "b never got there in 2 runs" in verdict.findings[0].why
  sooner = thrice._replace(exceeds=0.0)
  assert judge.judge([sooner], censored).word == "supported"
  turned = {"a": censored["b"], "b": censored["a"]}
  assert judge.judge([sooner], turned).word == "refuted"
  assert judge.judge([sooner._replace(exceeds=-math.log(3))], turned).word == "underpowered"


def test_a_number_alone_may_be_limited_on_either_side():
  far = {"a": arm(0.2, 0.22, 0.21, 0.2)}
  more, less = Contrast("", None, "a", TEST_ERROR, 10.0), Contrast("", "a", None, TEST_ERROR, -30.0)
  two = judge.judge([more, less], far)
  assert two.word == "supported"
  assert two.findings[1].difference.mean == pytest.approx(-20.75)
  alone = judge.judge([more], far).findings[0].difference
  assert two.findings[0].difference.low == alone.low  # one interval
  assert judge.judge([less._replace(exceeds=-15.0)], far).word == "refuted"


def test_counted_numbers_need_no_spread():
  arms = {"a": arm(0.1, 0.1, macs=100), "b": arm(0.1, 0.1, macs=228)}
  half = Contrast("half of them go", "a", "b", MACS, math.log(2))
  assert judge.judge([half], arms).word == "supported"
  assert judge.judge([half._replace(exceeds=math.log(3))], arms).word == "refuted"
  told = said.finding(judge.judge([half], arms).findings[0])
  assert "multiply-adds, b against a: 2.28 times" in told
  same = judge.judge([WORSE], arms)  # measured ones do
  assert (same.word, same.findings[0].why[:15]) == ("underpowered", "the differences")


def written(tmp_path, rows):
  lines = [
    json.dumps({"step": s, "split": k, "top1": top1, "count": count}) for s, k, top1, count in rows
  ]
  (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
  return run(folder=tmp_path)


def test_steps_to_an_error_are_those_of_the_first_row_that_has_it(tmp_path):
  rows = [(10, "train", 0.5, 9), (20, "train", 0.7, 9), (20, "validation", 0.9, 9),
          (30, "train", 0.8, 9), (40, "train", 0.6, 9)]  # fmt: skip
  one = written(tmp_path, rows)
  assert steps_to(20.1).of(one) == pytest.approx(math.log(30))
  assert steps_to(30.1).of(one) == pytest.approx(math.log(20))
  assert steps_to(1).of(one) == pytest.approx(math.log(100))  # never: all of its steps
  assert steps_to(1).is_bound(one)
  assert not steps_to(20.1).is_bound(one)
  assert steps_to(20).say(math.log(2), math.log(3)) == "2 to 3 times"


def test_a_run_that_was_stopped_on_its_way_takes_as_many_steps(tmp_path):
  rows = [(10, "train", 0.5, 100), (17, "train", 0.6, 70), (18, "train", 1.0, 10),
          (20, "train", 0.9, 20), (30, "train", 0.95, 100)]  # fmt: skip
  # Steps 11 to 20 together: 0.7.
  assert steps_to(20).of(written(tmp_path, rows)) == pytest.approx(math.log(30))
  assert steps_to(30.1).of(written(tmp_path, rows)) == pytest.approx(math.log(20))


STUDIES = [
  (name, size) for name, claim in CLAIMS.items() for size in SIZES
  if isinstance(claim.study(size), Study)
]  # fmt: skip


def solve(config, key, matched):
  """A value in place of the one that a matched axis would have, another for each target."""
  del config
  number = 1 + len(repr(matched.target))
  return {key: {"net.hidden": number, "net.width": number / 100}[key]}


def made(arms):
  """How many nets or pipelines arms try; what several try is one."""
  return len({repr(sorted((arm.overrides | tried).items())) for arm in arms for tried in arm.tried})


@pytest.mark.parametrize(("name", "size"), STUDIES)
def test_every_study_has_configs_that_hold_and_arms_that_its_contrasts_name(name, size):
  claim = CLAIMS[name]
  study = claim.study(size)
  planned = ledger.plan([claim], size, [0, 1], lambda base: solve)
  nets = [arm for arm in study.arms.values() if not arm.hand_made]
  assert len(planned.cells) == 2 * made(nets)
  hand_made = [arm for arm in study.arms.values() if arm.hand_made]
  assert len(planned.pipelines) == 2 * made(hand_made)
  named = {arm for one in study.contrasts for arm in (one.first, one.second) if arm}
  assert named == set(study.arms)
  for one in study.contrasts:
    if one.first and one.second:
      first, second = (planned.declared[name].arms[arm] for arm in (one.first, one.second))
      assert not {c for some in first for c in some.cells.values()} & {
        c for some in second for c in some.cells.values()
      }
  assert study.seeds >= (3 if size == "laptop" else 5)
  wanted = {"cpu": "digits", "laptop": "cifar10", "gpu": "cifar10", "pod": "imagenet2012"}[size]
  every = [*planned.cells, *planned.pipelines]
  assert {cell.config.data.name for cell in every} == {wanted}
  assert len({(cell.config.data.image_size, cell.config.data.validation) for cell in every}) == 1


@pytest.mark.parametrize(("name", "size"), [one for one in STUDIES if one[0] in ("C2", "C7", "C8")])
def test_nets_can_be_as_dear_as_others_and_counts_decide_what_is_said_of_them(name, size):
  study = CLAIMS[name].study(size)
  assert isinstance(study, Study)
  if study.base.data.name == "imagenet2012" and name != "C8":
    pytest.skip("minutes of counting")
  planned = ledger.plan([CLAIMS[name]], size, [0], lambda base: equal.make_solve(base, None))
  params = {}
  for cell in planned.cells:
    net = cell.config.net.to_dict()
    classes, channels = data.SHAPES[cell.config.data.name]
    found = cost.cost_of(
      net.pop("name"), "params", image_size=cell.config.data.image_size, channels=channels,
      classes=classes, **net,
    )  # fmt: skip
    params[cell.hash] = {"params": found, "metrics": {"test_top1": 0.5, "train_top1": 0.5}}
  arms = {
    arm: [
      {seed: run(folder=f"{arm}{seed}")._replace(summary=params[one.cells[0]]) for seed in (0, 1)}
      for one in tried
    ]
    for arm, tried in planned.declared[name].arms.items()
  }
  counted = [one for one in study.contrasts if one.measure.name == "parameters"]
  verdict = judge.judge(counted, arms)
  assert {one.verdict for one in verdict.findings} <= {"supported"}
  assert bool(counted) == (name == "C8")


def test_a_trial_measures_what_its_contrasts_name(monkeypatch):
  monkeypatch.setattr(signals, "STEPS", 1)
  trial = CLAIMS["C4"].study("cpu")
  assert isinstance(trial, Trial)
  numbers = trial.measure(0)
  for one in trial.contrasts:
    assert {one.first, one.second} <= set(numbers[one.measure.name])
  assert all(math.isfinite(v) for arms in numbers.values() for v in arms.values())


def test_identity_layers_leave_a_residual_net_as_it_is_to_the_bit(monkeypatch):
  monkeypatch.setattr(identity, "PAIRS", {"residual": identity.PAIRS["residual"]})
  monkeypatch.setattr(identity, "STEPS", 2)
  trial = CLAIMS["C14"].study("cpu")
  assert isinstance(trial, Trial)
  numbers = trial.measure(0)
  assert numbers[identity.CHANGE.name] == {"residual": 0.0}
  losses = numbers[identity.LOSS.name]
  assert losses.keys() == {"residual", "residual, deeper"}
  assert all(math.isfinite(loss) for loss in losses.values())


def test_a_claim_is_found_in_any_case():
  assert find(CLAIMS, "c15") is CLAIMS["C15"]
  with pytest.raises(ConfigError, match='Did you mean "C15"'):
    find(CLAIMS, "C155")


def command(*words):
  done = subprocess.run(
    [sys.executable, "launch.py", "claims", *words], cwd=ROOT, text=True, capture_output=True,
    env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
  )  # fmt: skip
  assert done.returncode == 0, done.stderr
  return done.stdout


def test_a_claim_runs_and_is_reported_without_jax(tmp_path):
  out = command("run", "C8", "--seeds=0:2", f"--workdir={tmp_path}")
  assert "4 done, 0 failed, 0 left" in out
  assert f"claims report {tmp_path}" in out
  text = command("report", str(tmp_path))
  assert "C8  Global average pooling replaces" in text
  _, row = csv.DictReader(command("report", str(tmp_path), "--format=csv").splitlines())
  assert row["measure"] == "test error"
  runs = [json.loads(p.read_text()) for p in sorted(tmp_path.glob("*/summary.json"))]
  errors = {on: [] for on in ("fc", "gap")}
  for path in sorted(tmp_path.glob("*/summary.json")):
    errors[path.parent.name.split(",")[0].removeprefix("head=")].append(
      100 * (1 - json.loads(path.read_text())["metrics"]["test_top1"])
    )
  assert len(runs) == 4
  wanted = sum(errors["fc"]) / 2 - sum(errors["gap"]) / 2
  assert float(row["difference"]) == pytest.approx(wanted)
  lines = (
    "import sys; from jaxnets.cli import main; "
    f"main(['launch.py', 'claims', 'report', {str(tmp_path)!r}]); "
    "sys.exit('jax' in sys.modules)"
  )
  assert subprocess.run([sys.executable, "-c", lines], cwd=ROOT, stdout=-3).returncode == 0
  assert "one seed gives no verdict" in " ".join(
    command("report", str(tmp_path), "--seeds=0").split()
  )


def test_a_run_without_the_number_is_not_left_out_but_decides_nothing():
  arms = {"a": arm(0.1, 0.11, 0.12, 0.1), "b": arm(0.2, 0.22, 0.21, 0.2)}
  del arms["b"][0][3].summary["metrics"]["test_top1"]
  verdict = judge.judge([WORSE], arms)
  assert verdict.word == "underpowered"
  assert verdict.findings[0].why == "1 runs of b have no such number"
