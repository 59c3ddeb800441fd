"""The experiment whose sweeps the tests run: tests/sweep/sweeping.py."""

import os

from tests.train.tiny import tiny_config


def get_config(arg=""):
  # All but the first run long enough to be killed on their way.
  steps = {"": 6, "members": 45, "slow": 3000}[arg]
  return tiny_config(train__steps=steps, train__checkpoint_every=15 if arg == "members" else 3)


def get_sweep(hyper, arg=""):
  del arg
  rates = [0.05, float(os.environ.get("SECOND_RATE", "0.02"))]
  return hyper.product([hyper.sweep("optim.lr", rates), hyper.seeds(2)])
