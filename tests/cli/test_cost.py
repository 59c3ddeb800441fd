"""The verb cost, as its users run it."""

import csv
import io
import json
import pathlib

import pytest

from jaxnets import nets
from jaxnets.cli import cost, main

COUNTS = json.loads(pathlib.Path(nets.__file__).with_name("counts.json").read_text())


def run(capsys, *words):
  code = main(["launch.py", "cost", *words])
  captured = capsys.readouterr()
  return code, captured.out, captured.err


def facts(capsys, *words):
  code, out, err = run(capsys, *words, "--format=json")
  assert (code, err) == (0, "")
  return json.loads(out)


@pytest.mark.parametrize("name", COUNTS)
def test_the_command_says_the_published_counts_to_the_integer(capsys, name):
  said = facts(capsys, f"--net={name}", "--batch=2")
  assert said["params"] == COUNTS[name]["params"]
  assert said["macs"] == COUNTS[name]["macs"]
  assert [said["image_size"]] * 2 + [said["channels"]] == COUNTS[name]["input"]
  assert said["classes"] == COUNTS[name]["classes"]
  assert said["flops"] == 2 * said["macs"]
  assert sum(row["params"] for row in said["layers"]) == said["params"]
  assert sum(row["macs"] for row in said["layers"]) == said["macs"]


def test_json_has_what_sweeps_and_papers_need(capsys):
  said = facts(capsys, "--net=resnet50", "--batch=8")
  assert said["net"] == "resnet50"
  # Forward, and for the gradient twice that, but nothing for the images.
  first = 112 * 112 * 64 * 49 * 3
  assert said["train_flops"] == 2 * (3 * said["macs"] - first)
  assert said["activations"] == 11_114_984
  assert said["bytes"] == {"float32": 102_228_128, "bfloat16": 51_114_064, "int8": 25_557_032}
  assert (said["receptive_field"], said["stride"]) == (427, 32)
  memory = said["memory"]
  assert memory["train"] == sum(
    memory[key] for key in ("params", "stats", "optimiser", "average", "images", "temporary")
  )
  assert set(said["layers"][0]) >= {"name", "op", "shape", "params", "macs", "field"}
  assert said["layers"][0] == {
    "name": "stem", "op": "conv 7x7/2", "shape": [112, 112, 64], "params": 9_408,
    "macs": first, "elementwise": said["layers"][0]["elementwise"], "field": "7",
    "stride": 2, "padding": 3,
  }  # fmt: skip


@pytest.mark.parametrize("name", ["alexnet", "inception_v3"])
def test_training_costs_three_forward_passes_but_for_the_images_gradient(capsys, name):
  said = facts(capsys, name, "--batch=2")
  assert said["train_macs"] == 3 * said["macs"] - said["layers"][0]["macs"]


def test_axes_images_classes_batch_precision_and_optimiser_can_be_changed(capsys):
  said = facts(
    capsys, "--net=cifar_resnet20", "--net.width=0.5", "--net.shortcut=B", "--image_size=16",
    "--classes=7", "--batch=12", "--devices=3", "--precision=bfloat16", "--optim=adamw",
  )  # fmt: skip
  assert (said["image_size"], said["classes"], said["batch"]) == (16, 7, 12)
  assert (said["memory"]["batch"], said["precision"], said["optimiser"]) == (4, "bfloat16", "adamw")
  # Two moments for each parameter, and a few counts.
  assert 0 <= said["memory"]["optimiser"] - 8 * said["params"] < 100
  assert said["layers"][-1]["shape"] == [7]


def test_an_experiment_is_counted_with_its_dataset_and_overrides(capsys):
  spec = "--config=experiments/quickstart.py"
  said = facts(capsys, spec, "--config.net.depth=8", "--config.train.ema=0.0")
  assert (said["channels"], said["classes"], said["memory"]["average"]) == (1, 10, 0)
  deeper = facts(capsys, spec, "--config.net.depth", "14", "--config.train.ema=0.9")
  assert deeper["macs"] > said["macs"]
  assert deeper["memory"]["average"] == deeper["memory"]["params"]


def test_an_experiment_whose_dataset_is_not_here_is_counted_too(capsys, tmp_path):
  words = ("--config=experiments/imagenet_resnet.py:resnet18", f"--data_dir={tmp_path}")
  assert facts(capsys, *words, "--batch=2")["params"] == COUNTS["resnet18"]["params"]


def test_two_are_shown_side_by_side_where_they_differ(capsys):
  code, out, _ = run(capsys, "resnet50", "resnet50_v1", "--batch=2", "--format=csv")
  rows = {row["what"]: row for row in csv.DictReader(io.StringIO(out))}
  assert code == 0
  assert rows["macs"] == {
    "what": "macs", "resnet50": "4089184256", "resnet50_v1": "3857973248", "ratio": "0.9435",
  }  # fmt: skip
  assert rows["receptive_field"]["resnet50_v1"] == "483"
  assert "params" not in rows
  assert "layers.stem.macs" not in rows
  assert "layers.stage2/unit1/conv1.shape" in rows


def test_what_has_the_same_cost_in_all_is_said_to(capsys):
  _, out, _ = run(capsys, "cifar_plain20", "cifar_resnet20", "--batch=2", "--format=csv")
  rows = {row["what"] for row in csv.DictReader(io.StringIO(out))}
  assert not rows & {"params", "macs", "receptive_field", "train_macs"}


def test_the_page_has_a_row_per_layer_totals_and_what_they_mean(capsys):
  code, out, err = run(capsys, "cifar_resnet20", "--batch=8", "--device=h100,v100")
  assert (code, err) == (0, "")
  lines = out.splitlines()
  assert sum(line.startswith("stage") for line in lines) == 36
  total = next(line for line in lines if line.startswith("total"))
  assert out.count("bound on") == 2
  assert "269,722" in total
  assert "40,551,040" in total
  assert "bound on h100" in out
  assert "computed, not measured" in out


def test_csv_and_markdown_hold_the_layers(capsys):
  _, table, _ = run(capsys, "cifar_resnet20", "--batch=8", "--format=csv")
  rows = list(csv.DictReader(io.StringIO(table)))
  assert rows[0]["shape"] == "32x32x16"
  assert int(rows[-1]["macs"]) == sum(int(row["macs"]) for row in rows[:-1])
  _, table, _ = run(capsys, "cifar_resnet20", "--batch=8", "--format=md")
  assert len(table.splitlines()) == len(rows) + 2


def test_a_narrow_terminal_gets_a_table_that_fits(capsys, monkeypatch):
  monkeypatch.setattr(cost.table.sys.stdout, "isatty", lambda: True, raising=False)
  monkeypatch.setenv("COLUMNS", "60")
  _, out, _ = run(capsys, "resnet50", "--batch=2")
  assert max(map(len, out.splitlines())) <= 60
  table = out.split("\n\n")[1].splitlines()
  assert (
    table[-1].split() == ["total", "25,557,032", "4,089,184,256", "427"] or "total" in table[-1]
  )


def test_two_are_bounded_side_by_side(capsys):
  words = ("cifar_resnet20", "cifar_resnet32", "--batch=8", "--device=h100,h100,v100")
  code, out, _ = run(capsys, *words, "--format=csv")
  rows = {row["what"]: row for row in csv.DictReader(io.StringIO(out))}
  assert code == 0
  assert float(rows["bounds.h100.bound_seconds"]["ratio"]) > 1.3
  assert "bounds.v100.bound_seconds" in rows


def test_after_group_norm_every_place_sees_the_whole_image(capsys):
  said = facts(capsys, "cifar_resnet20", "--net.norm=group", "--batch=2")
  assert (said["receptive_field"], said["stride"]) == (None, None)


def test_measured_steps_stand_beside_their_bound(capsys):
  said = facts(
    capsys, "cifar_resnet20", "--net.depth=8", "--net.width=0.25", "--image_size=8", "--batch=8",
    "--measure=3",
  )["measured"]  # fmt: skip
  assert said["steps"] == 3
  low, middle, high = (
    said[f"{key}_seconds"] for key in ("lower_quartile", "measured", "upper_quartile")
  )
  assert 0 < low <= middle <= high
  assert said["times_the_bound"] == pytest.approx(middle / said["bound_seconds"])


def test_xlas_count_is_accounted_for(capsys):
  words = ("cifar_resnet20", "--net.depth=8", "--net.width=0.5", "--image_size=16", "--batch=4")
  _, out, _ = run(capsys, *words, "--xla")
  assert "taps on padding, which XLA leaves out" in out
  found = facts(capsys, *words, "--xla")["xla"]
  flops = found["flops"]
  ours = flops["macs_flops"] - flops["padding"] + flops["elementwise"] - flops["transcendental"]
  assert ours + flops["unexplained"] + flops["optimised"] == flops["compiled"]
  assert flops["share"] < 0.02


@pytest.mark.parametrize(
  ("words", "message"),
  [
    ((), "cost takes a net or an experiment"),
    (("resnet5",), 'there is no net "resnet5". Did you mean "resnet50"?'),
    (("resnet50", "--net.widht=2"), 'has no axis "widht". Did you mean "width"?'),
    (("vgg16", "--net.bottleneck=2"), 'net "vgg16" has no axis "bottleneck"'),
    (("resnet50", "--net.width=wide"), "net.width (='wide') must be float"),
    (("resnet50", "--fits=16XB"), "--fits (=16XB) must be a number of bytes"),
    (("resnet50", "--fits=0"), "--fits (=0) must be a number of bytes"),
    (("cifar_resnet20", "--fits=1KB"), "more than --fits (1,000)"),
    (("resnet50", "--device=h1000"), 'there is no device "h1000". Did you mean "h100"?'),
    (("resnet50", "--devices=2", "--batch=7"), "must be a multiple of devices (=2)"),
    (("vgg16", "--image_size=8"), "image too small for the net"),
    (("resnet50", "--device="), "--device names no kind of device"),
    (("resnet50", "--format=csv", "--fits=1GB"), "--fits has no place in a table of layers"),
    (("resnet50", "--format=md", "--device=h100"), "--device has no place in a table of layers"),
    (("cifar_resnet20", "--device=h100", "--xla"), "the estimate is for cuda"),
    (("mlp", "--batch=99999999999999999999"), "train.batch (=99999999999999999999) must be"),
    (("nosuch.py",), 'cannot find config "nosuch.py"'),
    (("resnet50", "resnet50"), "is named twice"),
    (("resnet50", "resnet18", "--xla"), "--xla takes one net or experiment, not 2"),
    (("resnet50", "--net.width"), "--net.width needs a value"),
  ],
  ids=str,
)
def test_errors_are_two_lines_at_most(capsys, words, message):
  code, out, err = run(capsys, *words)
  assert (code, out) == (2, "")
  assert message in err
  assert len(err.splitlines()) <= 2


def test_sizes_are_read_as_people_write_them():
  assert cost.read_size("16GiB") == 16 * 2**30
  assert cost.read_size("500 mb") == 500 * 10**6
  assert cost.read_size("1.5e9") == 1_500_000_000
