"""The board: who stands on it, with what costs, who is dominated, and its page."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets import config as configuration
from jaxnets import runs
from jaxnets.classical import config as pipelines
from jaxnets.cli import main
from jaxnets.config import to_json
from jaxnets.report import place
from jaxnets.report.figures import saving, style
from tests.report.folders import changed, write

ROOT = Path(__file__).parents[2]
NET, PIPELINE = "last step, parameters, one view of 8x8 px", "strength chosen on validation"
FIGURES = ("macs", "params", "bytes", "latency", "memory")
PROBE = """
import sys
from jaxnets.cli import main
code = main(["launch.py", "board", *sys.argv[1:]])
print(code, sorted({"jax", "flax", "sklearn", "matplotlib"} & set(sys.modules)), file=sys.stderr)
"""


def plant(folder: Path, config: dict, accuracy: float, summary: dict, record: dict, protocol: str):
  """The folder of a run that is done."""
  folder.mkdir(parents=True)
  metrics = {"test_top1": accuracy, "test_loss": 1 - accuracy, "test_count": 500,
             "protocol": protocol}  # fmt: skip
  write(folder / "config.json", config)
  about = {"name": config["data"]["name"], "fingerprint": "09f66e6debde"}
  write(folder / "summary.json", {"state": "done", "metrics": metrics, "data": about, **summary})
  write(folder / "run.json", {"schema": 1, "state": "done", "threads": "1", **record})


def plant_net(workdir: Path, name: str, errors, *, params=1000, macs=50_000, net=None, **measured):
  """Runs of a net, one a seed; `net` has the axes in which it is not the published one."""
  base = to_json(configuration.base("mlp" if name == "mlp" else "cifar_resnet20", "digits"))
  base = changed(base, {f"net.{axis}": value for axis, value in (net or {}).items()})
  record: dict = {"devices": "1 x cpu", "host": "here"}
  if "latency" in measured:
    record["inference"] = {"seconds_per_image": measured["latency"], "batch": 500}
  if "memory" in measured:
    record["peak_resident_bytes"] = measured["memory"]
  record |= measured.get("record", {})
  summary = {"net": {"name": base["net"]["name"], **(net or {})}, "params": params, "macs": macs}
  for seed, error in enumerate(errors):
    config = changed(base, {"seed": seed, **measured.get("fields", {})})
    where = workdir / f"{name},seed={seed}"
    plant(where, config, 1 - error, summary, record, measured.get("protocol", NET))


def plant_pipeline(workdir: Path, features: str, errors, *, macs=20_000, size=3000, **more):
  """Runs of a pipeline; trees have no params."""
  summary = {"macs": macs, "model_bytes": size, "seconds_of_features_per_image": 4e-4,
             "seconds_to_predict_per_image": 1e-4, **more}  # fmt: skip
  base = changed(to_json(pipelines.base()), {"pipeline.features": features})
  for seed, error in enumerate(errors):
    config = changed(base, {"seed": seed})
    record = {"devices": "cpu", "host": "here", "peak_resident_bytes": 2 << 27}
    plant(workdir / f"{features},seed={seed}", config, 1 - error, summary, record, PIPELINE)


@pytest.fixture
def mixed(tmp_path) -> Path:
  """A ConvNet, an MLP that it beats at a lower cost, and two pipelines, one of a single seed."""
  plant_net(tmp_path, "resnet", (0.02, 0.03, 0.025), latency=1e-4, memory=3 << 27)
  plant_net(tmp_path, "mlp", (0.08, 0.095, 0.086), params=9000, macs=60_000, net={"hidden": 64},
            latency=2e-4, memory=4 << 27)  # fmt: skip
  plant_pipeline(tmp_path, "hog", (0.1, 0.1, 0.1), params=700)
  plant_pipeline(tmp_path, "lbp", (0.3,), macs=30_000)
  return tmp_path


@pytest.fixture
def sketched(monkeypatch):
  """Figures in one form and width: all that a page holds."""
  monkeypatch.setattr(saving, "FORMS", ("svg",))
  monkeypatch.setattr(style, "PAGES", (style.WIDE,))


def rows_of(capsys, *words: str) -> list[dict]:
  capsys.readouterr()
  assert main(["launch.py", "board", *words, "--format=json"]) == 0
  return json.loads(capsys.readouterr().out)


def refused(capsys, *words: str) -> list[str]:
  capsys.readouterr()
  assert main(["launch.py", "board", *words, "--nopage"]) == 2
  said = capsys.readouterr()
  assert said.out == ""
  lines = said.err.removesuffix("\n").split("\n")
  assert len(lines) == 2
  return lines


def test_pipelines_and_nets_stand_together_by_their_error(mixed, capsys):
  rows = rows_of(capsys, str(mixed))
  assert [(row["name"], row["kind"], row["n"]) for row in rows] == [
    ("cifar_resnet20", "ConvNet", 3), ("mlp, hidden=64", "MLP", 3),
    ("hog, svm", "hand-made", 3), ("lbp, svm", "hand-made", 1),
  ]  # fmt: skip
  assert [row["error"] for row in rows] == pytest.approx([0.025, 0.087, 0.1, 0.3])


def test_every_cost_is_what_the_run_counted_or_measured(mixed, capsys):
  net, _, hog, lbp = rows_of(capsys, str(mixed))
  assert (net["macs"], net["params"]) == (50_000, 1000)
  assert [net[f"bytes_{name}"] for name in ("float32", "bfloat16", "int8", "pickled")] == [
    4000, 2000, 1000, None,
  ]  # fmt: skip
  assert (net["seconds_per_image"], net["peak_resident_bytes"]) == (1e-4, 3 << 27)
  assert [hog[f"bytes_{name}"] for name in ("float32", "bfloat16", "int8", "pickled")] == [
    None, None, None, 3000,
  ]  # fmt: skip
  assert hog["seconds_per_image"] == pytest.approx(5e-4)
  assert lbp["params"] is None


def test_a_row_is_marked_in_the_costs_in_which_another_beats_it(mixed, capsys):
  net, mlp, hog, lbp = rows_of(capsys, str(mixed))
  assert net["dominated"] == []
  # By the ConvNet in all; its three seeds are apart from the ConvNet's.
  assert (mlp["dominated"], mlp["unsure"], mlp["dominated_everywhere"]) == (
    list(FIGURES), [], True,
  )  # fmt: skip
  # Cheaper than the nets but in latency.
  assert (hog["dominated"], hog["unsure"]) == (["latency"], [])
  # Of one seed: a guess. Its parameters are not known, so nothing is said of them.
  assert lbp["dominated"] == lbp["unsure"] == ["macs", "bytes", "latency", "memory"]
  assert lbp["dominated_everywhere"]


def test_only_the_costs_that_are_asked_for_are_compared(mixed, capsys):
  rows = rows_of(capsys, str(mixed), "--cost=macs,latency")
  assert [row["dominated"] for row in rows][:3] == [[], ["macs", "latency"], ["latency"]]
  assert rows[1]["params"] == 9000


def test_what_was_measured_elsewhere_dominates_nothing_there(tmp_path, capsys):
  plant_net(tmp_path, "resnet", (0.02, 0.03), latency=1e-4)
  plant_net(tmp_path, "mlp", (0.2, 0.3), latency=1e-3, params=9000, record={"threads": "2"})
  row = rows_of(capsys, str(tmp_path))[1]
  assert row["hardware"] == "cpu, 2 threads"
  assert (row["dominated"], row["dominated_everywhere"]) == (["macs", "params", "bytes"], True)
  assert main(["launch.py", "board", str(tmp_path), "--nopage"]) == 0
  assert "2 places" in capsys.readouterr().out


def test_records_that_name_no_host_are_compared_within_their_folder_only(tmp_path, capsys):
  for folder, error in (("a", 0.2), ("b", 0.1)):
    for size, latency in ((9, 2e-4), (8, 1e-4)):
      plant_net(tmp_path / folder, f"mlp{size}", (error, error + 0.01), params=size * 1000,
                latency=latency, net={"hidden": size}, record={"host": None},
                fields={"net.hidden": size, "train.steps": 1 + ord(folder)})  # fmt: skip
  rows = rows_of(capsys, str(tmp_path / "a"), str(tmp_path / "b"), "--cost=latency")
  assert [row["dominated"] for row in rows] == [[], ["latency"], [], ["latency"]]


def test_nets_and_pipelines_of_the_claims_of_a_folder_stand_together(capsys):
  rows = rows_of(capsys, "docs/records/claims/laptop")
  kinds = [row["kind"] for row in rows]
  assert kinds.count("hand-made") == 10
  assert kinds.count("ConvNet") == len(rows) - 10 > 20
  assert {row["n"] for row in rows} == {3, 5}


def test_an_old_folder_has_empty_cells_for_what_it_never_measured(tmp_path, capsys):
  plant_net(tmp_path, "resnet", (0.02, 0.03))
  row = rows_of(capsys, str(tmp_path))[0]
  assert (row["seconds_per_image"], row["peak_resident_bytes"]) == (None, None)
  assert row["macs"] == 50_000


def test_a_member_of_a_program_has_no_memory_of_its_own(tmp_path, capsys):
  members = {"members": {"form": "vmap", "count": 4}}
  plant_net(tmp_path, "resnet", (0.02,), memory=1 << 30, latency=1e-4, record=members)
  row = rows_of(capsys, str(tmp_path))[0]
  assert (row["peak_resident_bytes"], row["seconds_per_image"]) == (None, 1e-4)


@pytest.mark.parametrize("form", ["text", "md", "csv", "json"])
def test_the_protocol_is_always_there(form, mixed, capsys):
  assert main(["launch.py", "board", str(mixed), f"--format={form}", "--nopage"]) == 0
  said = capsys.readouterr().out
  assert NET in said
  assert PIPELINE in said
  if form in ("text", "md"):
    assert "protocol" in said.splitlines()[form == "text"]
    assert "2 protocols" in said


def test_one_seed_is_shown_with_a_dagger(mixed, capsys):
  assert main(["launch.py", "board", str(mixed), "--nopage"]) == 0
  said = capsys.readouterr().out
  line = next(line for line in said.splitlines() if "lbp, svm" in line)
  assert "30.00 †" in line
  assert " all? " in line
  assert "† One seed" in said


def test_csv_and_json_say_the_same(mixed, capsys):
  rows = rows_of(capsys, str(mixed))
  assert main(["launch.py", "board", str(mixed), "--format=csv"]) == 0
  table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
  for row, line in zip(rows, table, strict=True):
    assert list(row) == list(line)
    for key, value in row.items():
      said = " ".join(value) if isinstance(value, list) else "" if value is None else str(value)
      assert line[key] == said


def test_losses_are_errors_too(mixed, capsys):
  rows = rows_of(capsys, str(mixed), "--metric=test_loss")
  assert [row["error"] for row in rows] == pytest.approx([0.025, 0.087, 0.1, 0.3])


def test_names_tell_rows_of_one_net_apart_and_leave_out_what_they_share(tmp_path, capsys):
  for depth in (14, 26):
    for lr in (0.1, 0.2):
      where = tmp_path / f"{depth} {lr}"
      plant_net(where, "resnet", (0.1 / depth + lr,), net={"depth": depth, "width": 2.0},
                fields={"optim.lr": lr})  # fmt: skip
  assert main(["launch.py", "board", *map(str, sorted(tmp_path.iterdir())), "--nopage"]) == 0
  said = capsys.readouterr().out
  for name in ("depth=14, lr=0.1", "depth=14, lr=0.2", "depth=26, lr=0.1", "depth=26, lr=0.2"):
    assert said.count(f"cifar_resnet20, {name} ") == 1
  assert "cifar_resnet20: width=2.0 in all rows." in said


def test_several_datasets_are_refused_until_one_is_named(tmp_path, capsys):
  plant_net(tmp_path / "a", "resnet", (0.02,))
  plant_net(tmp_path / "b", "resnet", (0.3,), fields={"data.name": "cifar10"})
  folders = [str(tmp_path / "a"), str(tmp_path / "b")]
  first, second = refused(capsys, *folders)
  assert "cifar10, digits" in first
  assert "--data=cifar10" in second
  assert [row["error"] for row in rows_of(capsys, *folders, "--data=digits")] == [
    pytest.approx(0.02)
  ]
  assert 'Did you mean "digits"?' in refused(capsys, *folders, "--data=digit")[0]


def test_errors_say_what_and_the_nearest_fix(mixed, tmp_path, capsys):
  assert "which runs?" in refused(capsys)[0]
  assert 'Did you mean "latency"?' in refused(capsys, str(mixed), "--cost=latencie")[0]
  assert 'Did you mean "test_loss"?' in refused(capsys, str(mixed), "--metric=tests_loss")[0]
  assert 'Did you mean "test_top1"?' in refused(capsys, str(mixed), "--metric=test_tpo1")[0]
  assert "neither" in refused(capsys, str(mixed), "--metric=test_count")[0]
  (tmp_path / "empty").mkdir()
  assert "holds no sweep and no run" in refused(capsys, str(tmp_path / "empty"))[0]
  copied = tmp_path / "again"
  plant_net(copied, "resnet", (0.02,))
  assert "one config with seed 0" in refused(capsys, str(mixed), str(copied))[0]


def test_a_folder_without_a_run_that_is_done_is_refused(tmp_path, capsys):
  plant_net(tmp_path, "resnet", (0.02,))
  folder = next(tmp_path.iterdir())
  record = runs.read_json(folder / "run.json") | {"state": "failed"}
  write(folder / "run.json", record)
  assert "none of the runs is done" in refused(capsys, str(tmp_path))[0]


def contents(folder: Path) -> dict[str, bytes]:
  return {
    str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
  }


def test_the_page_has_a_figure_for_each_cost_and_its_numbers(mixed, tmp_path, capsys, sketched):
  out = tmp_path / "out"
  assert main(["launch.py", "board", str(mixed), f"--out={out}"]) == 0
  assert capsys.readouterr().out.splitlines()[-1] == str(out / "index.html")
  page = (out / "index.html").read_text()
  assert page.count("<svg") == len(FIGURES)
  assert "<script" not in page
  assert PIPELINE in page
  for cost in FIGURES:
    assert (out / f"figures/{cost}.svg").exists()
    assert f'href="figures/{cost}_85mm.pdf"' in page
  whole = json.loads((out / "board.json").read_text())
  assert whole["rows"] == rows_of(capsys, str(mixed))
  assert len((out / "board.csv").read_text().splitlines()) == 1 + len(whole["rows"])


def test_the_same_runs_give_the_same_bytes(mixed, tmp_path):
  made = []
  for i in range(2):
    assert (
      main(["launch.py", "board", str(mixed), "--cost=latency", f"--out={tmp_path / f'{i}'}"]) == 0
    )
    made.append(contents(tmp_path / f"{i}"))
  assert made[0] == made[1]
  figures = {name for name in made[0] if name.startswith("figures/")}
  forms = ("svg", "png", "pdf")
  assert figures == {f"figures/latency{page}.{form}" for page in ("", "_85mm") for form in forms}


def test_a_cost_that_no_row_has_gets_no_figure(tmp_path, sketched):
  plant_net(tmp_path / "runs", "resnet", (0.02, 0.03))
  plant_net(tmp_path / "runs", "mlp", (0.2, 0.3), params=9000, macs=9000)
  assert main(["launch.py", "board", str(tmp_path / "runs")]) == 0
  figures = {path.stem for path in (tmp_path / "runs/board/figures").iterdir()}
  assert figures == {"macs", "params", "bytes"}


def test_other_things_in_the_way_of_the_page_leave_the_table(mixed, capsys):
  (mixed / "board").mkdir()
  (mixed / "board" / "mine.txt").write_text("mine")
  assert main(["launch.py", "board", str(mixed)]) == 0
  said = capsys.readouterr()
  assert "cifar_resnet20" in said.out
  assert said.err.startswith("no page: ")
  assert contents(mixed / "board") == {"mine.txt": b"mine"}
  assert main(["launch.py", "board", str(mixed), f"--out={mixed / 'board'}"]) == 2


def test_without_the_packages_of_a_page_the_table_stands_alone(mixed, capsys, monkeypatch):
  monkeypatch.setattr(place, "EXTRA", ("no_such_package",))
  assert main(["launch.py", "board", str(mixed)]) == 0
  said = capsys.readouterr()
  assert "cifar_resnet20" in said.out
  assert said.err.splitlines()[0].startswith("no page: the report needs no_such_package")
  assert not (mixed / "board").exists()
  assert main(["launch.py", "board", str(mixed), f"--out={mixed / 'out'}"]) == 3


def test_the_table_needs_neither_jax_nor_scikit_learn_nor_matplotlib(mixed):
  result = subprocess.run(
    [sys.executable, "-c", PROBE, str(mixed), "--nopage"], capture_output=True, text=True,
    cwd=ROOT, check=True,
  )  # fmt: skip
  assert result.stderr.splitlines()[-1] == "0 []"
