"""Several runs as members of one program: what each is alone, whoever is beside it."""

import pytest

from jaxnets import runs
from jaxnets.errors import ConfigError, DivergedError, StoppedError
from jaxnets.train import loop, members
from jaxnets.train.checkpoint import Checkpoints
from jaxnets.train.experiment import build
from tests.train.tiny import distance, tiny_config

BOUND = 2e-6  # largest difference of a parameter after eight steps: the order of sums
RECIPES = [{}, {"seed": 1, "optim__lr": 0.02}, {"seed": 2, "optim__weight_decay": 0.01}]


def config(**more):
  return tiny_config(**{"data__mixup": 0.2, "train__ema": 0.9, "optim__schedule": "plateau"} | more)


CONFIGS = [config(**recipe) for recipe in RECIPES]


def run_together(configs, folders, form, count, stopped=lambda: 0):
  """{number: summary or error}."""
  for folder in folders:
    folder.mkdir(parents=True, exist_ok=True)
  courses = [loop.course(c, f, stopped) for c, f in zip(configs, folders, strict=True)]
  return dict(members.together(courses, form, count))


def state_of(folder, c=CONFIGS[0]):
  checkpoints = Checkpoints(folder / "checkpoints", 1)
  state = checkpoints.restore(build(c).abstract)
  checkpoints.close()
  return state


def numbers_of(folder):
  """The rows of metrics, without how fast they came: what they are of, and their numbers."""
  rows = runs.read_metrics(folder)
  texts = [(row["step"], row["split"]) for row in rows]
  rows = [{k: v for k, v in row.items() if k not in ("split", "images_per_second")} for row in rows]
  return texts, rows


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
  folders = [tmp_path_factory.mktemp("alone") for _ in CONFIGS]
  return folders, [loop.fit(c, folder) for c, folder in zip(CONFIGS, folders, strict=True)]


@pytest.fixture(scope="module", params=[members.SCAN, members.VMAP])
def together(request, tmp_path_factory):
  folders = [tmp_path_factory.mktemp("together") for _ in CONFIGS]
  return request.param, folders, run_together(CONFIGS, folders, request.param, 4)


def test_members_are_what_they_are_alone_within_a_stated_bound(alone, together):
  _, folders, results = together
  assert sorted(results) == [0, 1, 2]
  for number, (folder, before) in enumerate(zip(folders, alone[0], strict=True)):
    one, other = state_of(folder), state_of(before)
    assert distance(one.params, other.params) < BOUND
    assert distance(one.ema, other.ema) < BOUND
    assert distance(one.plateau, other.plateau) == 0
    metrics, wanted = results[number]["metrics"], alone[1][number]["metrics"]
    assert {k: v for k, v in metrics.items() if "loss" not in k} == {
      k: v for k, v in wanted.items() if "loss" not in k
    }
    assert metrics["test_loss"] == pytest.approx(wanted["test_loss"], abs=1e-5)
  assert distance(state_of(folders[0]).params, state_of(folders[1]).params) > 1000 * BOUND


def test_each_member_writes_the_rows_that_it_writes_alone(alone, together):
  for folder, before in zip(together[1], alone[0], strict=True):
    (texts, rows), (wanted_texts, wanted) = numbers_of(folder), numbers_of(before)
    assert texts == wanted_texts
    for row, other in zip(rows, wanted, strict=True):
      assert row == pytest.approx(other, rel=1e-4)


def test_a_member_has_the_same_bits_in_other_company_and_when_it_goes_on(together, tmp_path):
  form, _, results = together
  digest = results[1]["params_sha256"]
  folder, asked = tmp_path / "one", []

  def after_five() -> int:
    asked.append(1)
    return 15 if len(asked) == 5 else 0

  (error,) = run_together([CONFIGS[1]], [folder], form, 4, after_five).values()
  assert isinstance(error, StoppedError)
  others = [config(seed=5), CONFIGS[1]]
  found = run_together(others, [tmp_path / "other", folder], form, 4)
  assert found[1]["params_sha256"] == digest
  assert runs.read_json(folder / "run.json")["members"] == {"form": form, "count": 4}


@pytest.mark.parametrize("together", [members.SCAN], indirect=True)
def test_a_member_that_diverges_leaves_the_others_as_they_are(together, tmp_path):
  form, _, results = together
  configs = [config(optim__lr=1e30), CONFIGS[1]]
  found = run_together(configs, [tmp_path / "a", tmp_path / "b"], form, 4)
  assert isinstance(found[0], DivergedError)
  assert found[1]["params_sha256"] == results[1]["params_sha256"]


def after(steps):
  """What says after so many steps that a signal came."""
  asked = []
  return lambda: (asked.append(1), 15 if len(asked) == steps else 0)[1]


def test_a_run_that_goes_on_in_another_form_says_so_when_it_does(tmp_path, caplog):
  folder, c = tmp_path / "one", CONFIGS[1]

  def words():
    text = caplog.text
    caplog.clear()
    return [part.split(":")[0] for part in text.split("this run was ")[1:]]

  run_together([c], [folder], members.SCAN, 4, after(2))
  run_together([c], [folder], members.SCAN, 4, after(1))
  assert words() == []
  with pytest.raises(StoppedError):
    members.alone(loop.course(c, folder, after(1)))
  assert words() == ["one of 4 members (scan) and goes on as one alone"]
  with pytest.raises(StoppedError):
    members.alone(loop.course(c, folder, after(1)))
  assert words() == []
  run_together([c], [folder], members.SCAN, 4)
  assert words() == ["one alone and goes on as one of 4 members (scan)"]


def test_a_run_that_is_killed_while_it_compiles_is_known_for_what_it_was(monkeypatch, tmp_path):
  folder, c = tmp_path / "one", CONFIGS[1]
  run_together([c], [folder], members.SCAN, 4, after(2))
  course = loop.course(c, folder, lambda: 0)
  next(course)  # it has begun, and asks for its first step
  assert runs.read_json(folder / "run.json")["members"] == {"form": "scan", "count": 4}
  course.close()


def test_a_common_program_that_fails_closes_the_runs(monkeypatch, tmp_path):
  def refuse(*given):
    raise ConfigError("too much memory")

  monkeypatch.setattr(members, "compile_step", refuse)
  with pytest.raises(ConfigError, match="too much memory"):
    run_together(CONFIGS[:2], [tmp_path / "a", tmp_path / "b"], members.SCAN, 2)
  monkeypatch.undo()
  assert run_together(CONFIGS[:1], [tmp_path / "a"], members.SCAN, 4)[0]["state"] == "done"


def test_devices_that_compute_apart_have_no_members():
  assert members.forms(build(config(train__form="shard_map")), 4) == ()
  assert members.forms(build(CONFIGS[0]), 4) == (members.VMAP, members.SCAN)
