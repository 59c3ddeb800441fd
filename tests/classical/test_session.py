"""Run folders of pipelines: gone on with, refused, failed, and read beside those of nets."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets import runs
from jaxnets.classical import config, pipeline, session
from jaxnets.classical.memo import Memo
from jaxnets.cli import main
from jaxnets.errors import ConfigError

QUICK = ("classical", "--config.data.image_size=16", "--config.hog.cell=4",
         "--config.svm.c=0.01")  # fmt: skip


def silent(file):
  file.write_text("said")
  return contextlib.nullcontext()


def cell(workdir, **values):
  quick = {"data.image_size": 16, "hog.cell": 4, "svm.c": 0.01, "pipeline.images": 100}
  about = config.changed(quick | {key.replace("_", ".", 1): v for key, v in values.items()})
  return session.run_cell(about, workdir, None, silent, Memo())


@pytest.fixture
def launch(tmp_path, capsys):
  def call(*words):
    code = main(["launch.py", *words, f"--workdir={tmp_path / 'runs'}"])
    return code, capsys.readouterr()

  return call


def test_a_run_leaves_the_files_of_a_run_folder(tmp_path):
  summary = cell(tmp_path)
  found = runs.read_run(tmp_path)
  assert (found.state, found.summary, found.record["test_reads"]) == ("done", summary, 1)
  assert {"scikit-learn", "scikit-image", "data_fingerprint", "code"} <= found.record.keys()
  assert found.config["pipeline"]["images"] == summary["images"] == 100
  assert summary["metrics"]["test_count"] == 500
  assert (tmp_path / "log.txt").exists()


def test_a_finished_run_never_runs_again(tmp_path, monkeypatch):
  first = cell(tmp_path)
  monkeypatch.setattr(pipeline, "run", lambda *given: pytest.fail("it ran again"))
  assert cell(tmp_path) == first


def test_another_config_in_the_folder_is_refused(tmp_path):
  cell(tmp_path)
  with pytest.raises(ConfigError, match=r"another config \(1 differences: hog.cell 4 -> 8\)"):
    cell(tmp_path, hog_cell=8)


def test_a_killed_run_begins_anew_and_its_look_at_the_test_images_counts(tmp_path, monkeypatch):
  own = pipeline.protocol  # asked for when the test images have been read

  def killed(about):
    raise KeyboardInterrupt

  monkeypatch.setattr(pipeline, "protocol", killed)
  with pytest.raises(KeyboardInterrupt):
    cell(tmp_path)
  assert runs.read_run(tmp_path).state == "interrupted"
  monkeypatch.setattr(pipeline, "protocol", own)
  cell(tmp_path)
  found = runs.read_run(tmp_path)
  assert (found.state, found.record["test_reads"], len(found.record["starts"])) == ("done", 2, 2)


def test_a_cell_that_fails_stops_no_other(launch, tmp_path):
  words = (*QUICK, "--sizes=100,1,200", "--format=json")
  code, said = launch(*words)
  rows = json.loads(said.out)
  assert code == 5
  assert [bool(row["error"]) for row in rows] == [False, True, False]
  assert "at least 2 classes" in rows[1]["error"]
  folders = {path.name: runs.read_run(path).state for path in (tmp_path / "runs").glob("feat*")}
  assert sorted(folders.values()) == ["done", "done", "failed"]
  (failed,) = (tmp_path / "runs").glob("*images=1,*")
  began = len(runs.read_run(failed).record["starts"])
  assert launch(*words)[0] == 5
  assert len(runs.read_run(failed).record["starts"]) == began  # not tried again unasked


def test_status_and_compare_read_pipelines_beside_nets(launch, tmp_path, capsys):
  from tests.sweep.planted import plant

  plant(tmp_path / "nets", [{"seed": s} for s in (0, 1)], [0.91, 0.93])
  assert launch(*QUICK, "--features=hog,raw", "--sizes=100", "--seeds=0:2")[0] == 0
  folders = [str(tmp_path / "nets"), str(tmp_path / "runs")]
  assert main(["launch.py", "status", *folders, "--format=json"]) == 0
  assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["done"] * 6
  by = "--by=net.name,pipeline.features,pipeline.classifier"
  assert main(["launch.py", "compare", *folders, by, "--format=json"]) == 2  # two protocols
  assert "several protocols" in capsys.readouterr().err
  words = ("launch.py", "compare", *folders, by, "--mixed_protocols", "--format=json")
  assert main([*words]) == 0
  rows = json.loads(capsys.readouterr().out)
  assert [(row["features"], row["n"]) for row in rows] == [(None, 2), ("hog", 2), ("raw", 2)]
  assert rows[0]["mean"] == pytest.approx(0.92)
  assert rows[1]["macs"] == 4 * 256 + 256 + 2 * 324 + 3240


def test_a_folder_of_nets_is_refused(launch, tmp_path):
  from tests.sweep.planted import plant

  plant(tmp_path / "runs", [{}], [0.9])
  code, said = launch(*QUICK)
  assert code == 2
  assert "holds a sweep of nets" in said.err


@pytest.mark.parametrize(
  ("words", "code", "says"),
  [
    (("--features=hgo",), 2, 'there are no features "hgo". Did you mean "hog"?'),
    (("--features=hog+hog",), 2, "must name each feature once"),
    (("--classifiers=svn",), 2, 'there is no classifier "svn". Did you mean "svm"?'),
    (("--config.hog.cel=4",), 2, 'no field "hog.cel". Did you mean "hog.cell"?'),
    (("--config.hog.cell=x",), 2, "hog.cell (='x') must be int"),
    (("--config.svm.c=-1",), 2, "must hold numbers above 0"),
    (("--config.lbp.grid=2",), 2, "lbp.grid says nothing of hog with svm"),
    (("--config.pipeline.images=9",), 2, "Give --sizes"),
    (("--config.data.image_size=8",), 2, "too small for hog"),
    (("--config.data.validation=0.0",), 2, "keeps no images to choose among 4 strengths"),
    (("--config.data.name=cifr10",), 2, 'Did you mean "cifar10"?'),
    (("--config.data.name=cifar10", "--data_dir=nowhere"), 3, "data prepare cifar10"),
    (("--sizes=100,5000",), 2, "--sizes=5000 is more than the 1,167 training images of digits"),
    (("--seeds=-1:2",), 2, "none below 0"),
    (("--seeds=0,1,0",), 2, "--seeds=0,1,0 names a seed twice"),
    (("--sizes=many",), 2, "--sizes=many must be numbers of images"),
    (("--feature=hog",), 2, "there is no flag --feature. Did you mean --features?"),
    (("experiments/quickstart.py",), 2, "classical takes flags only"),
  ],
)
def test_a_mistake_is_told_in_two_lines(launch, tmp_path, words, code, says):
  got, said = launch("classical", *words)
  assert says in said.err
  assert got == code
  assert said.err.count("\n") <= 2
  assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("package", ["sklearn", "skimage"])
def test_a_missing_package_is_named_with_its_extra(launch, monkeypatch, package):
  import importlib.util

  own = importlib.util.find_spec
  monkeypatch.setattr(
    importlib.util, "find_spec", lambda name, *rest: None if name == package else own(name, *rest)
  )
  code, said = launch("classical")
  assert code == 3
  assert said.err.endswith('is not installed\npip install "jaxnets[classical]"\n')


def test_cells_of_one_feature_follow_each_other_and_differ_in_their_hash():
  found = config.cells(["hog", "lbp"], ["svm", "tree"], [0, 1], [0], {"hog.cell": 4})
  assert [one.overrides["pipeline.features"] for one in found] == ["hog"] * 4 + ["lbp"] * 4
  assert len({one.hash for one in found}) == 8
  assert found[0].program == found[1].program != found[2].program
  assert [one.config.hog.cell for one in found] == [4] * 4 + [8] * 4  # lbp reads no cells


def test_a_config_comes_back_from_its_json():
  from jaxnets.config import to_json

  about = config.changed({"rbf.gamma": (0.25, 1), "pipeline.features": "hog+lbp"})
  assert config.from_json(json.loads(json.dumps(to_json(about)))) == about


def test_the_verb_needs_no_jax(tmp_path):
  probe = (
    "import sys; from jaxnets.cli import main; code = main(sys.argv); "
    "print(code, sorted({'jax', 'flax', 'tensorflow_datasets'} & set(sys.modules)))"
  )
  words = [*QUICK, "--sizes=50", f"--workdir={tmp_path / 'runs'}"]
  said = subprocess.run(
    [sys.executable, "-c", probe, *words], capture_output=True, text=True, check=True,
    cwd=Path(__file__).parents[2],
  )  # fmt: skip
  assert said.stdout.splitlines()[-1] == "0 []", said.stderr
