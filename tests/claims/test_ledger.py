"""Which runs and numbers decide which claim: claims.json."""

import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets.claims import judge, ledger, said, verdicts
from jaxnets.claims.measures import TEST_ERROR
from jaxnets.claims.study import Arm, Contrast, Study, Trial, recipe_of
from jaxnets.claims.trained import CLAIMS
from jaxnets.cli import main
from jaxnets.errors import ConfigError
from jaxnets.runs import write_json
from jaxnets.sweep import folder, grid

ROOT = Path(__file__).parents[2]
WORSE = Contrast("b is worse than a", "a", "b", TEST_ERROR)


def test_a_run_that_several_claims_need_is_one_cell():
  both = [CLAIMS["C15"], CLAIMS["C16"]]
  planned = ledger.plan(both, "cpu", [0], lambda base: lambda *given: {})
  assert len(planned.cells) == 3  # plain-20, plain-56, residual-56
  first, second = (planned.declared[name].arms["plain-56"] for name in ("C15", "C16"))
  assert first == second


def choice(recipe, **cells):
  return ledger.Choice(recipe, {int(seed[1:]): cell for seed, cell in cells.items()})


def declared(**arms):
  return ledger.Declared("r", arms)


def test_the_ledger_keeps_seeds_of_the_same_recipe_and_forgets_those_of_another(tmp_path):
  one = declared(a=[choice("r", s0="x")], b=[choice("q", s0="y")])
  two = declared(a=[choice("r", s1="z")], b=[choice("p", s1="w")])
  ledger.write(tmp_path, "cpu", {"C1": one})
  ledger.write(tmp_path, "cpu", {"C1": two})
  ledger.write(tmp_path, "gpu", {"C1": declared(a=[choice("r", s0="g")])})
  assert ledger.read(tmp_path, "cpu") == {
    "C1": declared(a=[choice("r", s0="x", s1="z")], b=[choice("p", s1="w")])
  }
  assert ledger.read(tmp_path, "gpu") == {"C1": declared(a=[choice("r", s0="g")])}
  with pytest.raises(ConfigError, match="holds no claims of size pod"):
    ledger.read(tmp_path, "pod")


def test_a_recipe_is_the_same_whatever_the_seed_and_another_with_another_rate():
  def recipes(name, seeds):
    planned = ledger.plan([CLAIMS[name]], "cpu", seeds, lambda base: lambda *given: {})
    return [one.recipe for tried in planned.declared[name].arms.values() for one in tried]

  assert recipes("C3", [0, 1]) == recipes("C3", [5])
  assert len(set(recipes("C3", [0]))) == 9


def test_commands_at_once_lose_no_claim(tmp_path):
  lines = (
    "import sys; from pathlib import Path; from jaxnets.claims import ledger\n"
    "for n in range(5):\n"
    "  name = f'{sys.argv[2]}{n}'\n"
    "  ledger.write(Path(sys.argv[1]), 'cpu', {name: ledger.Declared('', {'a': []})})"
  )
  some = [subprocess.Popen([sys.executable, "-c", lines, str(tmp_path), name], cwd=ROOT)
          for name in "XYZ"]  # fmt: skip
  assert [process.wait() for process in some] == [0, 0, 0]
  assert len(ledger.read(tmp_path, "cpu")) == 15


def numbers_of(seed):
  return {"test error": {"a": 1.0 + seed, "b": 2.0 + seed + 0.1 * (seed % 2)}}


def trial(**recipe):
  return Trial(numbers_of, recipe, (WORSE,), 3)


def measured(folder, seeds, **recipe):
  """The ledger after seeds were planned and measured, as `claims run` does; which those were."""
  left = ledger.plan_trial(folder, "cpu", "C4", trial(**recipe), seeds)
  for seed in left:
    ledger.write_trial(folder, "cpu", "C4", trial(**recipe), seed, numbers_of(seed))
  return left


def test_what_trials_measured_is_kept_by_seed_and_not_measured_twice(tmp_path):
  assert measured(tmp_path, range(2), depth=10) == [0, 1]
  assert measured(tmp_path, range(3), depth=10) == [2]
  found = ledger.read_trials(tmp_path, "cpu")["C4"]
  assert found.values["test error"]["a"] == {0: 1.0, 1: 2.0, 2: 3.0}
  assert judge.weigh([WORSE], found.values).word == "supported"
  assert judge.weigh([WORSE], ledger.of_seeds(found.values, [1])).word == "underpowered"
  assert ledger.read(tmp_path, "cpu") == {}


def test_numbers_of_another_trial_are_forgotten(tmp_path):
  measured(tmp_path, range(3), depth=10)
  assert measured(tmp_path, [5], depth=20) == [5]
  found = ledger.read_trials(tmp_path, "cpu")["C4"]
  assert found.seeds == [5]
  assert set(found.values["test error"]["a"]) == {5}


def test_a_trial_that_was_killed_on_its_way_is_not_judged_on_what_it_has(tmp_path, monkeypatch):
  own = trial(depth=10)
  monkeypatch.setitem(verdicts.CLAIMS, "C4", CLAIMS["C4"]._replace(study=lambda size: own))
  measured(tmp_path, range(3), depth=10)
  assert verdicts.read(tmp_path, "cpu").verdicts["C4"].word == "supported"
  ledger.plan_trial(tmp_path, "cpu", "C4", own, range(5))
  left = verdicts.read(tmp_path, "cpu").verdicts["C4"]
  assert (left.word, left.findings[0].why) == ("unfinished", "2 of 5 seeds are not measured")
  some = verdicts.read(tmp_path, "cpu", [0, 1, 2]).verdicts["C4"]
  assert some.word == "supported"


def test_a_study_that_is_another_by_now_is_unfinished(tmp_path, monkeypatch):
  planned = ledger.plan([CLAIMS["C16"]], "cpu", [0], lambda base: lambda *given: {})
  ledger.write(tmp_path, "cpu", planned.declared)
  (waiting, *_) = verdicts.read(tmp_path, "cpu").verdicts["C16"].findings
  assert "runs of" in waiting.why
  study = CLAIMS["C16"].study("cpu")
  assert isinstance(study, Study)
  study.base.unlock().train.steps = 17
  monkeypatch.setitem(verdicts.CLAIMS, "C16", CLAIMS["C16"]._replace(study=lambda size: study))
  found = verdicts.read(tmp_path, "cpu").verdicts["C16"]
  assert found.word == "unfinished"
  assert found.findings[0].why == "this is another study by now"


def said_to_go_on(folder, capsys, *more):
  assert main(["launch.py", "claims", "report", str(folder), "--nopage", *more]) == 0
  beginning = "go on: python launch.py "
  lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(beginning)]
  return [line.removeprefix(beginning).split() for line in lines]


def test_the_report_says_how_to_go_on_with_the_seeds_that_were_begun(tmp_path, capsys):
  begun = {"C15": None, "C16": None, "C11": [5, 6], "C17": [5, 6]}
  for name, seeds in begun.items():
    planned = ledger.plan([CLAIMS[name]], "cpu", seeds, lambda base: lambda *given: {})
    ledger.write(tmp_path, "cpu", planned.declared)
  own = CLAIMS["C4"].study("cpu")
  assert isinstance(own, Trial)
  ledger.plan_trial(tmp_path, "cpu", "C4", own, [3])
  where = f"--workdir={tmp_path}"
  assert said_to_go_on(tmp_path, capsys) == [
    ["claims", "run", "C4", "--size=cpu", "--seeds=3", where],
    ["claims", "run", "C11", "C17", "--size=cpu", "--seeds=5,6", where],
    ["claims", "run", "C15", "C16", "--size=cpu", where],
  ]
  some = said_to_go_on(tmp_path, capsys, "--seeds=6,7", "--data_dir=DATA")
  asked = ["--size=cpu", "--seeds=6,7", "--data_dir=DATA", where]
  assert ["claims", "run", "C11", "C17", *asked] in some


def test_to_go_on_with_what_failed_it_has_to_be_asked_for(tmp_path, capsys):
  planned = ledger.plan([CLAIMS["C16"]], "cpu", None, lambda base: lambda *given: {})
  ledger.write(tmp_path, "cpu", planned.declared)
  place = tmp_path / planned.cells[0].hash
  place.mkdir()
  write_json(place / "run.json", {"schema": 1, "state": "failed", "data_dir": "/data"})
  (words,) = said_to_go_on(tmp_path, capsys)
  assert {"--retry_failed", "--data_dir=/data"} <= set(words)


def test_a_trial_that_is_another_by_now_is_unfinished_and_keeps_no_number(tmp_path, monkeypatch):
  measured(tmp_path, range(3), depth=10)
  another = trial(depth=20)
  monkeypatch.setitem(verdicts.CLAIMS, "C4", CLAIMS["C4"]._replace(study=lambda size: another))
  found = verdicts.read(tmp_path, "cpu").verdicts["C4"]
  assert found.findings[0].why == "this is another study by now"
  with pytest.raises(ConfigError, match="C4 is another trial by now, so seed 7 is not kept"):
    ledger.write_trial(tmp_path, "cpu", "C4", another, 7, numbers_of(7))
  assert 7 not in ledger.read_trials(tmp_path, "cpu")["C4"].values["test error"]["a"]


def test_trials_that_compare_times_know_that_they_do():
  trials = {name: claim.study("cpu") for name, claim in CLAIMS.items()}
  timed = {name for name, one in trials.items() if isinstance(one, Trial) and any(
    contrast.measure.name.startswith("time of") for contrast in one.contrasts
  )}  # fmt: skip
  assert timed == {name for name, one in trials.items() if isinstance(one, Trial) and one.timed}
  assert timed == {"C10", "C12"}


def test_times_of_another_machine_are_forgotten_where_the_trial_is_timed(tmp_path):
  for is_timed, left in ((True, [0, 1]), (False, [])):
    own = trial(depth=10)._replace(timed=is_timed)
    folder = tmp_path / str(is_timed)
    folder.mkdir()
    for seed in ledger.plan_trial(folder, "cpu", "C4", own, range(2), "here"):
      ledger.write_trial(folder, "cpu", "C4", own, seed, numbers_of(seed))
    assert ledger.plan_trial(folder, "cpu", "C4", own, range(2)) == []  # not said where
    assert ledger.plan_trial(folder, "cpu", "C4", own, range(2), "here") == []
    assert ledger.plan_trial(folder, "cpu", "C4", own, range(2), "there") == left


def test_the_recipe_of_a_study_follows_what_is_run_and_not_what_is_concluded():
  study = CLAIMS["C7"].study("cpu")
  assert isinstance(study, Study)
  same = study._replace(contrasts=(), seeds=1, note="")
  assert recipe_of(same) == recipe_of(study)
  wider = grid.matched("net.width", params={}, tolerance=0.01)[0]
  changed = [
    study._replace(arms=dict(study.arms) | {"one 7x7": Arm(one)})
    for one in ({"net.kernel": 5}, {"net.kernel": 7, "optim.lr": 0.2}, {"net.kernel": 7} | wider)
  ]
  assert len({recipe_of(one) for one in (study, *changed)}) == 4


def test_runs_that_are_one_of_several_to_choose_from_are_known():
  def choice(*cells):
    return ledger.Choice("", dict(enumerate(cells)))

  declared = {
    "C3": ledger.Declared("", {"relu": [choice("a", "b"), choice("c", "d")]}),
    "C5": ledger.Declared("", {"without": [choice("c")], "with": [choice("e")]}),
  }
  assert ledger.tried(declared) == {"a", "b", "d"}  # C5 needs c by itself


@pytest.mark.parametrize(("verb", "word"), [("refute", "refuted"), ("support", "supported")])
def test_where_a_size_cannot_decide_one_way_what_runs_say_that_way_decides_nothing(
  tmp_path, monkeypatch, verb, word
):
  claim, study = CLAIMS["C15"], CLAIMS["C15"].study("cpu")
  assert isinstance(study, Study)
  shallow, deep = "plain-20", "plain-56"
  bound = study._replace(contrasts=(WORSE._replace(first=shallow, second=deep),))
  names = {arm: {seed: f"{arm}-{seed}" for seed in range(3)} for arm in study.arms}
  for arm, own in names.items():
    for seed, name in own.items():
      better = (arm == deep) == (verb == "refute")
      error = (0.1 if better else 0.3) + seed / (90 if better else 100)
      done = {"state": "done", "metrics": {"test_top1": 1 - error}, "step": 1}
      (tmp_path / name).mkdir()
      write_json(tmp_path / name / "summary.json", done)
      write_json(tmp_path / name / "run.json", {"schema": 1, "state": "done"})
      write_json(tmp_path / name / "config.json", {"seed": seed})
  arms = {arm: [ledger.Choice("", own)] for arm, own in names.items()}
  words = []
  for reason in ("", "digits are easy"):
    tried = bound._replace(**{f"cannot_{verb}": reason})
    monkeypatch.setitem(CLAIMS, "C15", claim._replace(study=lambda size, tried=tried: tried))
    ledger.write(tmp_path, "cpu", {"C15": ledger.Declared(recipe_of(tried), arms)})
    verdict = verdicts.read(tmp_path, "cpu").verdicts["C15"]
    assert [one.verdict for one in verdict.findings] == [word]
    words.append((verdict.word, said.notes(tried, verdict)[1:]))
  assert words == [
    (word, []),
    ("underpowered", [f"this size cannot {verb} the sentence: digits are easy"]),
  ]


def test_the_records_of_the_laptop_are_read():
  records = ROOT / "docs" / "records" / "claims" / "laptop"
  found = verdicts.read(records, "laptop").verdicts
  assert {name: one.word for name, one in found.items() if one.word == "unfinished"} == {}
  assert len(found) == 8
  declared = ledger.read(records, "laptop").values()
  used = {cell for one in declared for tried in one.arms.values() for choice in tried
          for cell in choice.cells.values()}  # fmt: skip
  assert used == {row["hash"] for row in folder.read(records).cells} | {
    row["hash"] for row in folder.read(records / ledger.PIPELINES).cells
  }
  kept = {path.parent.name for path in records.glob("*/run.json")}
  assert kept == {row["folder"] for row in folder.read(records).cells}
