"""The CPU benchmarks, tiny: that they measure what they say, and that the peers are the same nets.

PyTorch is found in this interpreter, or in the one that JAXNETS_TORCH_PYTHON names.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks import cpu, cpu_runs, cpu_speed, cpu_table, records, turns, workers
from jaxnets import nets
from jaxnets.errors import ConfigError, DataError, JaxnetsError

ROOT = Path(__file__).parents[1]
TORCH_PYTHON = os.environ.get("JAXNETS_TORCH_PYTHON", sys.executable)
needs_torch = pytest.mark.skipif(
  not cpu_speed.has_torch(TORCH_PYTHON),
  reason="no PyTorch; JAXNETS_TORCH_PYTHON names an interpreter that has it",
)
# px at which every layer of a net still has something to see
SIZES = {
  "cifar_resnet20": 16,
  "resnet18": 64,
  "resnet50": 64,
  "vgg16": 32,
  "googlenet_bn": 64,
  "alexnet": 99,
  "alexnet_owt": 95,
  "mlp": 8,
}
WITHOUT_DROPOUT = ("cifar_resnet20", "resnet18", "resnet50", "mlp")
COUNTS = """
import json, sys, torch
from benchmarks import cpu_speed, torch_nets
found = {}
for name in cpu_speed.BATCHES:
  work = cpu_speed.work(name, small=False)
  with torch.device("meta"):
    net = torch_nets.build(name, work.size, work.classes)
  found[name] = sum(p.numel() for p in net.parameters())
print(json.dumps(found))
"""
LOGITS = """
import sys, numpy, torch
from benchmarks import torch_nets
name, size, classes, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
net = torch_nets.build(name, size, classes)
given = dict(numpy.load(path))
image = torch.from_numpy(given.pop("image")).permute(0, 3, 1, 2)
given = {key: torch.from_numpy(value) for key, value in given.items()}
left = net.load_state_dict(given, strict=False)
assert not left.unexpected_keys and all("num_batches" in k for k in left.missing_keys), left
with torch.no_grad():
  found = {mode: net.train(mode == "train")(image).numpy() for mode in ("infer", "train")}
numpy.savez(path, **found)
"""


def torch_says(script: str, *arguments: str) -> str:
  """What the script prints under the interpreter that has PyTorch."""
  environment = os.environ | {"PYTHONPATH": str(ROOT)}
  return subprocess.run(
    [TORCH_PYTHON, "-c", script, *arguments],
    cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True,
  ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def counts() -> dict[str, int]:
  return json.loads(torch_says(COUNTS))


@needs_torch
@pytest.mark.parametrize("name", cpu_speed.BATCHES)
def test_a_peer_has_as_many_parameters_as_ours(name, counts):
  work = cpu_speed.work(name, small=False)
  net = nets.build(name, classes=work.classes)
  shape = (1, work.size, work.size, 3)
  params, _ = jax.eval_shape(lambda key: net.init(key, shape), jax.random.key(0))
  assert counts[name] == nets.count_parameters(params)


@needs_torch
@pytest.mark.parametrize("name", SIZES)
def test_a_peer_gives_the_same_logits_from_the_same_weights(name, tmp_path):
  size, classes, draw = SIZES[name], 5, np.random.default_rng(0)
  # Of the paper's initial weights AlexNet's logits hardly depend on the image.
  net = nets.build(name, classes=classes, weight_init="he")
  image = draw.standard_normal((4, size, size, 3), np.float32)
  if name == "alexnet":
    image *= 30  # so that the sum of squares in the response normalisation counts
  params, stats = jax.jit(lambda key: net.init(key, (1, size, size, 3)))(jax.random.key(0))
  # No scale, bias, mean or variance stays at 0 or 1, where a mistake would not show.
  params, stats = jax.tree.map(
    lambda x: np.asarray(x) + draw.uniform(0.1, 0.3, x.shape).astype(np.float32) * (x.ndim == 1),
    (params, stats),
  )
  path = tmp_path / "weights.npz"
  np.savez(path, image=image, **torch_names(params, last_map(name, size)), **torch_stats(stats))
  torch_says(LOGITS, name, str(size), str(classes), str(path))
  theirs = np.load(path)
  for mode in ("infer", "train") if name in WITHOUT_DROPOUT else ("infer",):
    apply = jax.jit(lambda p, s, x, train=mode == "train": net.apply(p, s, x, train=train).logits)
    ours = np.asarray(apply(params, stats, image))
    assert np.abs(ours - ours.mean(0)).max() > 1e-3 * np.abs(ours).max()  # images differ
    np.testing.assert_allclose(ours, theirs[mode], rtol=1e-3, atol=5e-4 * np.abs(ours).max())


def last_map(name: str, size: int) -> int:
  """Side of the map that the first hidden layer sees, in pixels."""
  if name == "mlp":
    return size
  return {"vgg16": 1, "alexnet": 2, "alexnet_owt": 2}.get(name, 0)


def torch_names(params: dict, side: int, prefix: str = "") -> dict[str, np.ndarray]:
  """Our parameters under PyTorch's names and in its layout."""
  found = {}
  for name, value in params.items():
    if isinstance(value, dict):
      found |= torch_names(value, side, f"{prefix}{name}.")
    elif value.ndim == 4:
      found[f"{prefix}weight"] = value.transpose(3, 2, 0, 1)
    elif value.ndim == 2:
      if prefix == "hidden1.":  # PyTorch flattens channels first
        value = value.reshape(side, side, -1, value.shape[-1]).transpose(2, 0, 1, 3)
      found[f"{prefix}weight"] = value.reshape(-1, value.shape[-1]).T
    else:
      found[prefix + {"scale": "weight", "bias": "bias"}[name]] = value
  return found


def torch_stats(stats: dict, prefix: str = "") -> dict[str, np.ndarray]:
  """Our running averages under PyTorch's names."""
  found = {}
  for name, value in stats.items():
    if isinstance(value, dict):
      found |= torch_stats(value, f"{prefix}{name}.")
    else:
      found[prefix + {"mean": "running_mean", "variance": "running_var"}[name]] = value
  return found


def speed(out: Path, *more: str) -> tuple[dict, subprocess.CompletedProcess]:
  """The record of a tiny MLP, and the command that made it."""
  command = [sys.executable, "benchmarks/cpu.py", "speed", "--small", "--nets=mlp", "--reps=2"]
  done = subprocess.run(
    [*command, f"--out={out}", *more], cwd=ROOT, capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  text = (out / "speed" / "mlp.json").read_text()
  for folder in (str(out.parent), str(ROOT), sys.prefix, str(Path(TORCH_PYTHON).parent)):
    assert folder not in text  # a record says nothing of where it was made
  return json.loads(text), done


def test_both_forms_of_ours_are_timed_where_pytorch_is_not(tmp_path):
  record, done = speed(tmp_path / "out", "--torch_python=/no/such/python")
  assert "PyTorch is not there" in done.stderr
  assert set(record["infer"]["frameworks"]) == {"ours", "plain"}
  plain = record["train"]["frameworks"]["plain"]
  assert plain["kernels"] == "plain"
  assert plain["ms_per_step"]["n"] == 2
  assert 0 < plain["ms_per_step"]["min"] <= plain["ms_per_step"]["median"]
  assert plain["cpu_ms_per_step"]["median"] > 0
  assert 50e6 < plain["peak_bytes"] < record["machine"]["memory_bytes"]
  assert "ratio" not in plain
  assert record["command"].endswith("--out=out --torch_python=python")


@needs_torch
def test_pytorch_takes_its_turns_in_its_own_interpreter(tmp_path):
  record, _ = speed(tmp_path / "out", f"--torch_python={TORCH_PYTHON}", "--modes=train")
  frameworks = record["train"]["frameworks"]
  assert set(frameworks) == {"ours", "plain", "torch_eager", "torch_compile"}
  assert "torch" in record["versions"]
  assert frameworks["ours"]["same_parameters"]
  assert frameworks["ours"]["ratio"]["torch_eager"]["n"] == 2


def test_the_kernels_are_chosen_by_the_environment_of_the_process(tmp_path, monkeypatch):
  seen = {}

  def worker(name, command, log, environment):
    seen[name] = environment["JAXNETS_KERNELS"], environment.get("JAX_ENABLE_COMPILATION_CACHE")
    return turns.contextlib.nullcontext()

  monkeypatch.setattr(turns, "worker", worker)
  plan = cpu_speed.Plan(("train",), 1, "python", small=False)
  for framework in ("ours", "plain"):
    with cpu_speed.started(framework, "mlp", plan, tmp_path):
      pass
  assert seen == {"ours": ("auto", "false"), "plain": ("plain", "false")}


def test_what_other_processes_use_meanwhile_is_told_apart():
  busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
  try:
    found = workers.turn(time.sleep, 1, time.process_time())
  finally:
    busy.kill()
    busy.wait()
  assert found.cpu_seconds < 0.2
  assert found.other_cpu_seconds > 0.2 or workers.machine_seconds() == 0
  assert found.seconds >= 1


def test_turns_last_as_long_as_planned_and_are_taken_in_order(monkeypatch):
  per_step = {"a": 0.01, "b": 0.3}
  asked = []

  def ask(worker, command, until):
    asked.append((worker, command))
    if command.startswith("build"):
      return {}
    seconds = per_step[worker] * int(command.split()[2])
    return {"seconds": seconds, "cpu_seconds": 2 * seconds, "loss": None}

  monkeypatch.setattr(turns, "ask", ask)
  plan = cpu_speed.Plan(("train",), 3, "python", small=True, turn_seconds=1.5, rest_seconds=0)
  found = cpu_speed.take_turns(
    {"ours": "a", "torch_eager": "b"}, "train", plan, records.deadline(0)
  )
  assert asked[-6:] == [("a", "go train 150"), ("b", "go train 5")] * 3
  assert found["torch_eager"]["steps"] == 5
  assert len(found["ours"]["turns"]) == 3


def turn(seconds: float) -> dict:
  return {
    "seconds": seconds,
    "cpu_seconds": 2 * seconds,
    "idle_cpu_seconds": 0.0,
    "other_cpu_seconds": seconds / 4,
    "peak_bytes": 7,
    "loss": 1.0,
  }


def facts(steps: int, *seconds: float) -> dict:
  """Of a framework with these turns."""
  return {
    "steps": steps,
    "turns": [turn(s) for s in seconds],
    "parameters": 5,
    "kernels": "plain",
    "threads": 2,
    "compile_seconds": 1.5,
    "peak_bytes": None,
  }


def result() -> dict:
  frameworks = {
    "ours": facts(10, 1.0, 2.0, 1.0),  # 100, 200, 100 ms
    "plain": facts(5, 1.5, 3.0, 1.5),  # 300, 600, 300
    "torch_eager": facts(10, 1.1, 2.4, 1.1),  # 110, 240, 110
    "torch_compile": {"error": "no compiler"},
  }
  return {"load_before": 0.0, "frameworks": frameworks}


def test_a_ratio_is_of_one_repetition_and_to_the_better_pytorch():
  found = result()
  cpu_speed.add_rates(found, batch=20)
  ours = found["frameworks"]["ours"]
  assert ours["ms_per_step"] == {"median": 100, "min": 100, "max": 200, "n": 3}
  assert ours["images_per_second"]["median"] == 200
  assert ours["cpu_ms_per_step"]["median"] == 200
  # The second repetition was slow for both: 240 / 200, not 110 / 200.
  assert ours["ratio"]["torch_eager"] == pytest.approx(
    {"median": 1.1, "min": 1.1, "max": 1.2, "n": 3}
  )
  assert cpu_speed.other_cpus(found) == 0.25
  assert found["better"] == "torch_eager"
  assert found["frameworks"]["plain"]["ratio"]["torch_eager"]["median"] == pytest.approx(110 / 300)
  assert found["frameworks"]["torch_compile"] == {"error": "no compiler"}
  found = result()
  found["frameworks"]["torch_compile"] = facts(1, 0.105, 0.21, 0.105)
  cpu_speed.add_rates(found, batch=20)
  assert found["better"] == "torch_compile"


def page(tmp_path: Path) -> Path:
  """docs/cpu.md made anew from a record of one net."""
  out, path = tmp_path / "records", tmp_path / "page.md"
  values = {"net": "cifar_resnet20", "batch": 20, "small": False, "machine": cpu_speed.machine()}
  for mode in cpu_speed.MODES:
    values[mode] = result()
    cpu_speed.add_rates(values[mode], 20)
  records.write(out, "speed", "cifar_resnet20", values)
  path.write_text(f"# Title\n\n{cpu_table.BEGIN}\nold\n{cpu_table.END}\n\nafter\n")
  assert cpu.main(["table", f"--from={out}", f"--to={path}"]) == 0
  return path


def test_the_page_says_which_bar_is_met_and_keeps_what_is_around(tmp_path):
  text = page(tmp_path).read_text()
  assert text.startswith("# Title\n")
  assert text.endswith("after\n")
  assert "\nold\n" not in text
  training, inference = re.findall(r"\| cifar_resnet20 \| 20 \|.*", text)
  cells = [cell.strip() for cell in training.strip("|").split("|")]
  assert cells[2:6] == ["100 (100 to 200)", "300 (300 to 600)", "110 (110 to 240)", "failed"]
  assert cells[6:] == ["1.10 (1.10 to 1.20)", "1.1 met", "0.37 (0.37 to 0.40)", "0.5 **missed**"]
  assert "1.2 **missed**" in inference
  assert "kept busy: 0.25 at most" in text
  assert str(tmp_path) not in text


def test_a_page_without_marks_and_a_folder_without_records_are_errors(tmp_path):
  path = page(tmp_path)
  with pytest.raises(ConfigError, match="has no records"):
    cpu_table.write(tmp_path / "nothing", path)
  path.write_text("no marks")
  with pytest.raises(ConfigError, match="with the lines"):
    cpu_table.write(tmp_path / "records", path)
  assert path.read_text() == "no marks"
  text = (ROOT / "docs" / "cpu.md").read_text()
  assert 0 < text.find(cpu_table.BEGIN) < text.find(cpu_table.END)


def test_a_command_is_told_without_the_folders_of_the_machine():
  told = records.command(
    [str(ROOT / "benchmarks/cpu.py"), "--torch_python=/opt/env/bin/python", "--out", "/var/out"]
  )
  assert told == "python benchmarks/cpu.py --torch_python=python --out out"
  assert records.command(["a.py", "--nets=a,b", "--from=runs/cpu"]).endswith("--from=runs/cpu")


def test_whole_runs_take_turns_and_are_compared_in_pairs(monkeypatch, tmp_path, capsys):
  seconds = iter((1.0, 2.0, 4.0, 6.0))
  forms = []

  def launch(flags, form):
    forms.append(form)
    times = dict.fromkeys(("wall_seconds", "cpu_seconds"), next(seconds))
    return {"images_per_second": 9.0, "peak_bytes": 7, "step": 40, "test_top1": 0.5} | times

  monkeypatch.setattr(cpu_runs, "launch", launch)
  monkeypatch.setattr(cpu_runs, "kernels", lambda form: form)
  assert cpu.main(["runs", "--small", "--only=quickstart", f"--out={tmp_path}"]) == 0
  assert forms == ["ours", "plain"] * 2
  record = json.loads((tmp_path / "runs" / "quickstart.json").read_text())
  assert record["ours"]["ratio"] == {"median": 1.75, "min": 1.5, "max": 2.0, "n": 2}
  assert "1.75" not in capsys.readouterr().err
  (tmp_path / "page.md").write_text(f"{cpu_table.BEGIN}{cpu_table.END}")
  assert cpu_table.write(tmp_path, tmp_path / "page.md") == 0
  assert "1.75 (1.50 to 2.00)" in (tmp_path / "page.md").read_text()


def test_a_run_is_timed_from_its_start_and_one_that_fails_says_why(tmp_path):
  found = cpu_runs.launch(("--config=experiments/mnist_mlp.py:runlocal",), "plain")
  assert found["cpu_seconds"] > 0
  assert 0.5 < found["wall_seconds"] < 300
  assert found["step"] == 40
  assert 0 <= found["test_top1"] <= 1
  with pytest.raises(JaxnetsError, match='has ended with code 2.*"reznet20"'):
    cpu_runs.launch(("--config=experiments/cifar10_resnet.py:reznet20",), "plain")
  flags = (*cpu_runs.RUNS["cifar10_epoch"].flags, f"--data_dir={tmp_path}")
  with pytest.raises(DataError):
    cpu_runs.launch(flags, "plain")


def test_a_net_or_part_that_is_not_there_is_an_error(capsys):
  assert cpu.main(["speed", "--nets=resnet5"]) == 2
  assert cpu.main(["speed", "--modes=training"]) == 2
  assert cpu.main(["runs", "--only=quickstrat"]) == 2
  assert 'Did you mean "quickstart"' in capsys.readouterr().err
