"""An experiment without seeds of its own, for --grid and --seeds: tests/sweep/grids.py."""

import os

from tests.sweep import sweeping


def get_config():
  return sweeping.get_config()


def get_sweep(hyper):
  return hyper.sweep("optim.lr", [float(os.environ.get("FIRST_RATE", "0.05")), 0.02])
