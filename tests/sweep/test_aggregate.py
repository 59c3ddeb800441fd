"""Groups of runs and their comparison, on planted results; and the verbs that read them."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxnets.cli import main
from jaxnets.errors import ConfigError
from jaxnets.sweep import aggregate, grid, keys
from tests.sweep.planted import plant
from tests.train.tiny import tiny_config

ROOT = Path(__file__).parents[2]
SWEEP = grid.product([grid.sweep("net.depth", [8, 14, 20]), grid.seeds(4)])
VALUES = np.array([[0.80, 0.82, 0.81, 0.83], [0.84, 0.87, 0.85, 0.88], [0.79, 0.83, 0.82, 0.82]])


def compared(path, metric="test_top1", by=(), **more):
  return aggregate.compare(aggregate.group(aggregate.read([path]), by), metric, **more)


def test_means_spreads_and_paired_tests_are_those_of_scipy(tmp_path):
  plant(tmp_path, SWEEP, VALUES.ravel())
  found = compared(tmp_path)
  assert [one.group.axes for one in found] == [{"net.depth": d} for d in (8, 14, 20)]
  tests = [stats.ttest_rel(row, VALUES[0]) for row in VALUES[1:]]
  for one, row in zip(found, VALUES, strict=True):
    low, high = stats.t.interval(0.95, 3, row.mean(), stats.sem(row))
    assert one.summary[:5] == pytest.approx((4, row.mean(), row.std(ddof=1), low, high))
  for one, test, row in zip(found[1:], tests, VALUES[1:], strict=True):
    assert one.difference.p == pytest.approx(test.pvalue)
    assert one.difference.mean == pytest.approx((row - VALUES[0]).mean())
  holm = [min(1, 2 * tests[0].pvalue), max(tests[1].pvalue, min(1, 2 * tests[0].pvalue))]
  assert tests[0].pvalue < tests[1].pvalue
  assert [one.p for one in found[1:]] == pytest.approx(holm)


def test_only_common_seeds_are_paired(tmp_path):
  overrides = [{"net.depth": 8, "seed": s} for s in (0, 1, 2)]
  overrides += [{"net.depth": 14, "seed": s} for s in (1, 2, 3)]
  plant(tmp_path, overrides, [0.5, 0.6, 0.7, 0.61, 0.72, 0.9])
  found = compared(tmp_path)
  assert found[1].difference.n == 2
  assert found[1].difference.mean == pytest.approx(0.015)


def test_runs_that_did_not_end_are_counted_and_never_dropped(tmp_path):
  values = [0.8, 0.81, None, 0.9, 0.91, None]
  states = ["done", "done", "diverged", "done", "done", "failed"]
  overrides = grid.product([grid.sweep("net.depth", [8, 14]), grid.seeds(3)])
  plant(tmp_path, overrides, values, states=states)
  first, second = compared(tmp_path)
  assert (len(first.values), aggregate.count(first.group, "diverged")) == (2, 1)
  assert (len(second.values), aggregate.count(second.group, "failed")) == (2, 1)


def test_fields_that_are_not_grouped_by_are_pooled_and_named(tmp_path):
  overrides = grid.product([
    grid.sweep("net.depth", [8, 14]), grid.sweep("optim.lr", [0.1, 0.2]), grid.seeds(2)
  ])  # fmt: skip
  plant(tmp_path, overrides, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
  one, other = compared(tmp_path, by=["net.depth"])
  assert one.group.pooled == ("optim.lr",)
  assert one.values == pytest.approx({0: 0.2, 1: 0.3})
  assert other.values == pytest.approx({0: 0.6, 1: 0.7})


def test_a_seed_of_which_a_pooled_run_is_not_done_is_left_out(tmp_path):
  overrides = grid.product([
    grid.sweep("net.depth", [8, 14]), grid.sweep("optim.lr", [0.1, 0.2]), grid.seeds(2)
  ])  # fmt: skip
  values = [0.1, 0.2, 0.3, None, 0.5, 0.6, 0.7, 0.8]
  plant(tmp_path, overrides, values, states=["done"] * 3 + ["diverged"] + ["done"] * 4)
  one, other = compared(tmp_path, by=["net.depth"])
  assert one.values == pytest.approx({0: 0.2})
  assert other.difference.n == 1
  assert aggregate.count(one.group, "diverged") == 1


def test_trainings_that_differ_in_what_they_do_not_see_are_one_that_with_the_most_metrics(tmp_path):
  base = tiny_config()
  plant(tmp_path / "a", [{"seed": 0}, {"seed": 1}], [0.8, 0.9], base=base)
  base.eval.fitted = True
  plant(tmp_path / "b", [{"seed": 0}], [0.8], base=base)

  def group_of(ended):
    (summary,) = (tmp_path / "b").glob("*/summary.json")
    values = json.loads(summary.read_text()) | {"params_sha256": ended}
    values["metrics"]["fitted_top1"] = 1.0
    summary.write_text(json.dumps(values))
    (found,) = aggregate.group(aggregate.read([tmp_path / "a", tmp_path / "b"]))
    return found

  found = group_of(f"{tmp_path / 'a'} 0")
  assert aggregate.by_seed(found, "test_top1") == {0: 0.8, 1: 0.9}
  assert aggregate.by_seed(found, "fitted_top1") == {0: 1.0}
  with pytest.raises(ConfigError, match="are two runs of one config with seed 0"):
    aggregate.by_seed(group_of("another end"), "test_top1")


def test_protocols_that_mix_inside_groups_are_no_ranking_either(tmp_path):
  overrides = grid.product([grid.sweep("net.depth", [8, 14]), grid.sweep("train.ema", [0.0, 0.9])])
  plant(tmp_path, overrides, [0.1, 0.2, 0.3, 0.4], protocol=["plain", "ema"] * 2)
  with pytest.raises(ConfigError, match="several protocols"):
    compared(tmp_path, by=["net.depth"])


def test_cells_that_never_began_are_in_their_group(tmp_path):
  found = plant(tmp_path, grid.sweep("net.depth", [8, 14]), [0.8, None])
  (tmp_path / found[1].folder / "config.json").unlink()
  _, second = compared(tmp_path)
  assert second.group.axes == {"net.depth": 14}
  assert (second.summary, aggregate.count(second.group, "failed")) == (None, 1)


def test_fields_of_one_name_stay_apart(tmp_path, capsys):
  overrides = grid.product([
    grid.sweep("net.name", ["cifar_resnet20", "cifar_resnet32"]),
    grid.sweep("optim.name", ["sgd", "adamw"]),
  ])  # fmt: skip
  plant(tmp_path, overrides, [0.1, 0.2, 0.3, 0.4])
  assert main(["launch.py", "compare", str(tmp_path), "--format=json"]) == 0
  rows = json.loads(capsys.readouterr().out)
  assert {(row["net.name"], row["optim.name"]) for row in rows} == {
    (net, rule) for net in ("cifar_resnet20", "cifar_resnet32") for rule in ("sgd", "adamw")
  }


def test_two_protocols_are_no_ranking(tmp_path):
  plant(tmp_path, grid.sweep("net.depth", [8, 14]), [0.8, 0.9], protocol=["one view", "ten views"])
  with pytest.raises(ConfigError, match=r"several protocols \(one view; ten views\)"):
    compared(tmp_path)
  assert len(compared(tmp_path, mixed=True)) == 2


@pytest.mark.parametrize(
  ("words", "said"),
  [
    (["compare"], "which runs?"),
    (["compare", "nowhere"], "holds no sweep and no run"),
    (["compare", "DIR", "--metric=test_topp1"], 'no metric|Did you mean "test_top1"'),
    (["compare", "DIR", "--by=net.dpeth"], 'Did you mean "net.depth"'),
    (["compare", "DIR", "--baseline=depth=9"], "fits 0 groups"),
    (["status"], "which runs?"),
  ],
)
def test_mistakes_are_told_in_two_lines(words, said, tmp_path, capsys):
  plant(tmp_path / "s", grid.sweep("net.depth", [8, 14]), [0.8, 0.9])
  code = main(["launch.py", *(str(tmp_path / "s") if w == "DIR" else w for w in words)])
  err = capsys.readouterr().err
  assert code == 2
  assert any(part in err for part in said.split("|")), err
  assert err.count("\n") <= 3


def test_one_seed_is_marked_and_has_no_interval(tmp_path, capsys):
  plant(tmp_path, grid.sweep("net.depth", [8, 14]), [0.8, 0.9])
  assert main(["launch.py", "compare", str(tmp_path)]) == 0
  out = capsys.readouterr().out
  assert "1 †" in out
  assert "no verdict" in out


def test_json_has_the_fractions_and_text_the_percent(tmp_path, capsys):
  plant(tmp_path, SWEEP, VALUES.ravel())
  assert main(["launch.py", "compare", str(tmp_path), "--format=json", "--baseline=depth=14"]) == 0
  rows = json.loads(capsys.readouterr().out)
  assert [row["depth"] for row in rows] == [14, 8, 20]
  assert rows[0]["mean"] == pytest.approx(0.86)
  assert rows[1]["delta"] == pytest.approx(-0.045)
  assert main(["launch.py", "compare", str(tmp_path), "--effect=1"]) == 0
  out = capsys.readouterr().out
  assert "86" in out
  assert "seeds needed" in out


def test_text_has_the_digits_that_the_interval_supports_json_and_csv_have_all(tmp_path, capsys):
  plant(tmp_path, SWEEP, VALUES.ravel())
  said = {}
  for form in ("text", "json", "csv"):
    words = ["compare", str(tmp_path), "--metric=test_loss", f"--format={form}"]
    assert main(["launch.py", *words]) == 0
    said[form] = capsys.readouterr().out
  losses = 1 - VALUES[1]  # mean 0.14, t interval 0.14 -+ 0.029
  told, data = json.loads(said["json"])[1], list(csv.DictReader(said["csv"].splitlines()))[1]
  for row in (told, data):
    assert float(row["mean"]) == pytest.approx(losses.mean(), abs=1e-15)
    assert float(row["low"]) == pytest.approx(stats.t.interval(0.95, 3, 0.14, stats.sem(losses))[0])
  assert float(data["delta"]) == told["delta"] != round(told["delta"], 4)
  (line,) = [x for x in said["text"].splitlines() if x.split()[:2] == ["14", "4"]]
  assert line.split()[2:9] == ["0.14", "0.018", "0.111", "0.169", "-0.045", "-0.0542", "-0.0358"]


def test_measured_speed_is_a_mean_over_the_runs_that_are_done(tmp_path, capsys):
  overrides = grid.product([grid.sweep("net.depth", [8, 14]), grid.seeds(3)])
  for i, cell in enumerate(plant(tmp_path, overrides, [0.8, 0.8, None, 0.9, 0.9, 0.9])):
    rows = [{"step": 1, "split": "train", "images_per_second": rate} for rate in (1, 1000.4 + i)]
    text = "".join(json.dumps(row) + "\n" for row in rows if i < 3)
    (tmp_path / cell.folder / "metrics.jsonl").write_text(text)
  assert main(["launch.py", "compare", str(tmp_path), "--format=json"]) == 0
  told = [row["images/s"] for row in json.loads(capsys.readouterr().out)]
  assert told == [pytest.approx(1000.9), None]
  assert main(["launch.py", "compare", str(tmp_path)]) == 0
  out = capsys.readouterr().out
  assert "1,000\n" in out
  assert "compare within this sweep only" in out


def test_a_lone_loss_has_four_digits(tmp_path, capsys):
  plant(tmp_path, grid.sweep("net.depth", [8, 14]), [0.123456, 0.99993211])
  assert main(["launch.py", "compare", str(tmp_path), "--metric=test_loss"]) == 0
  lines = capsys.readouterr().out.splitlines()
  assert lines[2].split()[:4] == ["8", "1", "†", "0.8765"]
  assert lines[3].split()[:5] == ["14", "1", "†", "6.789e-05", "-0.8765"]


def test_a_value_reads_alike_in_labels_tables_and_baselines(tmp_path, capsys):
  overrides = grid.sweep("net.widths", [(16, 32, 64), (8, 16, 32)])
  plant(tmp_path, overrides, [0.1, 0.2])
  groups = aggregate.group(aggregate.read([tmp_path]))
  assert [aggregate.label(one.axes) for one in groups] == ["widths=16x32x64", "widths=8x16x32"]
  assert aggregate.label({"net.widths": []}) == "widths=none"
  assert aggregate.label({"net.stem": None}) == f"stem={keys.NOTHING}"
  words = ["compare", str(tmp_path), "--baseline=widths=8x16x32", "--format=csv"]
  assert main(["launch.py", *words]) == 0
  rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
  assert [row["widths"] for row in rows] == ["8x16x32", "16x32x64"]


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("thousand")
  overrides = grid.product([grid.sweep("optim.lr", np.linspace(0.1, 1, 200).tolist()),
                            grid.seeds(5)])  # fmt: skip
  plant(workdir, overrides, np.random.default_rng(0).uniform(0.7, 0.9, 1000))
  return workdir


@pytest.mark.parametrize("verb", ["status", "compare"])
def test_a_thousand_cells_are_read_without_jax(verb, thousand):
  script = (
    "import sys; from jaxnets.cli import main; "
    f"code = main(['launch.py', '{verb}', {str(thousand)!r}, '--format=csv']); "
    "print('jax' in sys.modules, file=sys.stderr); sys.exit(code)"
  )
  began = time.monotonic()
  done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
  seconds = time.monotonic() - began
  assert done.returncode == 0, done.stderr
  assert done.stderr.strip() == "False"
  assert len(done.stdout.splitlines()) == (1001 if verb == "status" else 201)
  print(f"{verb}: {seconds:.2f} s", os.getloadavg())
