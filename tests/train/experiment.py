"""The experiment that the tests of interruption run: tests/train/experiment.py."""

from tests.train.tiny import tiny_config


def get_config():
  return tiny_config(train__steps=60, data__crop="pad", data__pad=1, train__checkpoint_every=5,
                     train__ema=0.9, data__mixup=0.2)  # fmt: skip
