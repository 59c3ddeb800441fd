"""The main job on real photos, killed and resumed."""

import signal

from tests import real_data
from tests.train.test_resume import interrupted, run


def test_real_cifar10_goes_on_after_kill_9_to_the_same_parameters(tmp_path, tmp_path_factory):
  directory = real_data.prepared_directory("cifar10", tmp_path_factory)
  words = ["--config=experiments/cifar10_resnet.py:resnet20", f"--data_dir={directory}",
           "--config.net.depth=8", "--config.net.width=0.25", "--config.train.steps=60",
           "--config.train.checkpoint_every=5", "--config.eval.every=40"]  # fmt: skip
  whole = run(tmp_path / "whole", words)
  assert interrupted(tmp_path / "killed", signal.SIGKILL, "20", words) == -signal.SIGKILL
  resumed = run(tmp_path / "killed", words)
  assert resumed == whole
  assert resumed["metrics"]["test_count"] == 10_000
  assert resumed["metrics"]["validation_count"] == 5_000
