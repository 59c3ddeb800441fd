"""What the command line says to a mistake: two lines at most, the right exit code, no traceback."""

import os

import pytest

from jaxnets.cli import main

QUICK = "--config=experiments/quickstart.py"


@pytest.fixture
def launch(tmp_path, capsys, monkeypatch):
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))

  def call(*words):
    words = [w.replace("WORKDIR", f"--workdir={tmp_path / 'run'}") for w in words]
    code = main(["launch.py", *words])
    return code, capsys.readouterr()

  return call


@pytest.mark.parametrize(
  ("words", "code", "says"),
  [
    (("tarin",), 2, 'there is no verb "tarin". Did you mean "train"?'),
    ((QUICK,), 2, "--workdir is missing"),
    (("WORKDIR",), 2, "--config is missing"),
    (("--config=experiments/quikstart.py", "WORKDIR"), 2, 'Did you mean "quickstart.py"?'),
    (("--config=experiments/cifar10_resnet.py:resent20", "WORKDIR"), 2, 'Did you mean "resnet20"?'),
    ((QUICK + ":x", "WORKDIR"), 2, 'takes no argument "x"'),
    ((QUICK, "--wrokdir=x"), 2, "there is no flag --wrokdir. Did you mean --workdir?"),
    ((QUICK, "WORKDIR", "--config.net.widht=2"), 2, 'no axis "widht". Did you mean "width"?'),
    ((QUICK, "WORKDIR", "--config.optim.lrr=2"), 2, '"optim.lrr". Did you mean "optim.lr"?'),
    ((QUICK, "WORKDIR", "--config.net.depth=abc"), 2, "net.depth (=abc) must be int"),
    ((QUICK, "WORKDIR", "--config.net.depth=9"), 2, "must be 6n+2"),
    ((QUICK, "WORKDIR", "--config.optim.lr=-1"), 2, "optim.lr (=-1.0) must be 0 or more"),
    ((QUICK, "WORKDIR", "--config.optim.lr=nan"), 2, "optim.lr (=nan)"),
    ((QUICK, "WORKDIR", "--config.data.name=cifr10"), 2, 'Did you mean "cifar10"?'),
    ((QUICK, "WORKDIR", "--config.data.name=cifar10"), 3, "python launch.py data prepare cifar10"),
    ((QUICK, "WORKDIR", "--config.net.name=resnt50"), 2, 'Did you mean "resnet50"?'),
    ((QUICK, "WORKDIR", "--config.net.name=alexnet"), 2, "image too small"),
    ((QUICK, "WORKDIR", "--resume=must"), 2, "holds no run"),
    ((QUICK, "WORKDIR", "--format=jsn"), 2, "text|json|csv|md"),
    (("--config.net.depth=20",), 2, "needs --config="),
    (("list", "netz"), 2, 'Did you mean "nets"?'),
    (("list", "nets", "resnext999"), 2, "no nets match"),
    (("show", "resnet51"), 2, "Did you mean"),
    (("eval",), 2, "--workdir is missing"),
    (("eval", "WORKDIR"), 2, "holds no run"),
    (("data", "info", "cifar10"), 3, "python launch.py data prepare cifar10"),
  ],
)  # fmt: skip
def test_a_mistake_is_told_in_two_lines(launch, tmp_path, words, code, says):
  got, captured = launch(*words)
  last = captured.err[captured.err.index("error: ") :]
  assert says in last
  assert got == code
  assert last.count("\n") <= 2
  assert "Traceback" not in captured.err
  assert not (tmp_path / "run" / "checkpoints").exists()


def test_debug_shows_where_an_error_came_from(launch):
  code, captured = launch(QUICK, "WORKDIR", "--config.net.depth=9", "--debug")
  assert code == 2
  assert "Traceback" in captured.err


def test_a_batch_that_does_not_split_names_the_nearest(launch):
  code, captured = launch(
    QUICK, "WORKDIR", "--config.train.batch=100", "--config.train.accumulation=8",
    "--config.train.norm_group=1",
  )  # fmt: skip
  assert code == 2
  assert "train.batch (=100) must be a multiple of train.accumulation (=8); nearest: 96, 104" in (
    captured.err
  )


def test_another_config_in_a_used_folder_is_refused_with_the_differences(launch):
  short = (QUICK + ":runlocal", "WORKDIR", "--config.train.steps=2", "--config.net.width=0.25",
           "--config.optim.warmup_steps=0")  # fmt: skip
  assert launch(*short)[0] == 0
  code, captured = launch(*short, "--config.seed=1", "--config.optim.lr=0.05")
  assert code == 2
  assert "2 differences: optim.lr 0.1 -> 0.05, seed 0 -> 1" in captured.err
  assert launch(*short, "--resume=never")[0] == 2
  code, captured = launch("eval", "WORKDIR", "--format=json")
  assert code == 0
  assert '"count": 130' in captured.out


def test_threads_are_told_to_openmp_and_to_xla(launch, monkeypatch):
  monkeypatch.setenv("OMP_NUM_THREADS", "7")
  monkeypatch.setenv("NPROC", "7")
  assert launch("list", "data", "--threads=3")[0] == 0
  assert (os.environ["OMP_NUM_THREADS"], os.environ["NPROC"]) == ("3", "3")
  code, captured = launch("list", "data", "--threads=0")
  assert code == 2
  assert "threads" in captured.err


@pytest.mark.parametrize("words", [(), ("--help",), ("train", "--help"), ("data", "--help")])
def test_help_is_on_standard_output_and_no_error(launch, words):
  code, captured = launch(*words)
  assert code == 0
  assert "launch.py" in captured.out
  assert captured.err == ""
