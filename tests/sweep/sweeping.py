"""The experiment whose sweeps the tests run: tests/sweep/sweeping.py."""

import os

from tests.train.tiny import tiny_config


def get_config(arg=""):
  # "slow" runs long enough to be killed on its way.
  return tiny_config(train__steps=3000 if arg == "slow" else 6, train__checkpoint_every=3)


def get_sweep(hyper, arg=""):
  del arg
  rates = [0.05, float(os.environ.get("SECOND_RATE", "0.02"))]
  return hyper.product([hyper.sweep("optim.lr", rates), hyper.seeds(2)])
