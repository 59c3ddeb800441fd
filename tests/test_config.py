import math

import pytest

from jaxnets import config
from jaxnets.errors import ConfigError
from jaxnets.fields import FIELDS, check_field


def test_every_default_passes_its_own_check():
  for key, field in FIELDS.items():
    check_field(key, field.default, field)
    assert field.meaning


def set_and_check(c, key, value):
  config.override(c, key, value)
  config.check(c)


@pytest.mark.parametrize(
  ("key", "value"),
  [
    ("optim.lr", -0.1), ("optim.lr", math.nan), ("optim.lr", math.inf), ("optim.lr", None),
    ("optim.momentum", 1.5), ("train.batch", 0), ("train.batch", 12.5), ("train.batch", "128"),
    ("data.flip", 1), ("seed", -1), ("optim.name", "sdg"), ("data.validation", 0.95),
    ("optim.drops", (0.75, 0.5)), ("optim.drops", (0.5, 1.0)), ("data.crop_area", (0.5, 0.1)),
    ("data.crop_area", (0.1,)), ("net.width", 0.0), ("net.width", -1.0), ("net.depth", 0),
    ("net.dropout", 1.0), ("net.kernel", 4), ("net.shortcut", "D"),
  ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused_by_name(key, value):
  c = config.base("cifar_resnet20")
  c.train.steps = 10
  with pytest.raises(ConfigError, match=key.split(".")[-1]):
    set_and_check(c, key, value)


@pytest.mark.parametrize(
  ("key", "nearest"),
  [
    ("net.widht", "net.width"),
    ("optim.leer", ""),
    ("train.stepz", "train.steps"),
    ("sede", "seed"),
  ],
)
def test_an_unknown_key_names_the_nearest(key, nearest):
  with pytest.raises(ConfigError, match=f'no field "{key}"') as error:
    config.override(config.base("cifar_resnet20"), key, 1)
  assert nearest in str(error.value)


def test_an_experiment_cannot_set_a_field_that_is_not_there():
  c = config.base("cifar_resnet20")
  with pytest.raises(AttributeError, match="Did you mean"):
    c.optim.weight_deacy = 0.1


def test_steps_and_epochs_cannot_both_be_given_and_one_must_be():
  c = config.base("cifar_resnet20")
  with pytest.raises(ConfigError, match="exactly one of"):
    config.check(c)
  c.train.steps, c.train.epochs = 10, 2.0
  with pytest.raises(ConfigError, match="exactly one of"):
    config.check(c)


def test_overriding_one_length_clears_the_other():
  c = config.load("experiments/cifar10_resnet.py:resnet20", {"train.epochs": 2})
  assert (c.train.steps, c.train.epochs) == (0, 2.0)


def test_another_net_brings_its_own_axes():
  c = config.load("experiments/cifar10_resnet.py:resnet20", {"net.name": "vgg16", "net.depth": 19})
  assert c.net.name == "vgg16"
  assert c.net.depth == 19
  assert c.net.widths == (64, 128, 256, 512, 512)
  assert "shortcut" not in c.net


def test_parts_without_a_batch_norm_group_are_refused_unless_nothing_is_normalised():
  c = config.base("cifar_resnet20")
  c.train.steps, c.train.accumulation = 10, 4
  with pytest.raises(ConfigError, match="Set train.norm_group, for example to 32"):
    config.check(c)
  c.train.norm_group = 32
  config.check(c)
  c.train.norm_group, c.net.norm = 0, "none"
  config.check(c)


def test_the_identity_follows_the_values_and_nothing_else():
  one, same = (config.load("experiments/quickstart.py") for _ in range(2))
  other = config.load("experiments/quickstart.py", {"seed": 1})
  assert config.digest(one) == config.digest(same) != config.digest(other)
  assert config.differences(config.to_json(one), config.to_json(other)) == {"seed": (0, 1)}


def test_a_number_that_does_not_divide_names_the_nearest_that_do():
  text = config.divide("train.batch", 100, "devices", 8)
  assert text == "train.batch (=100) must be a multiple of devices (=8); nearest: 96, 104"
  assert config.divide("train.batch", 3, "devices", 8).endswith("nearest: 8")


def test_an_integer_is_taken_for_a_float_and_a_list_for_a_tuple():
  c = config.base("cifar_resnet20")
  config.override(c, "optim.lr", 1)
  config.override(c, "net.widths", [8, 16, 32])
  assert (c.optim.lr, c.net.widths) == (1.0, (8, 16, 32))


@pytest.mark.parametrize(
  ("arg", "expected"),
  [("", ("a", False)), ("b", ("b", False)), ("b,runlocal", ("b", True)), ("runlocal", ("a", True))],
)
def test_an_argument_is_a_choice_and_perhaps_runlocal(arg, expected):
  assert config.read_arg(arg, ("a", "b")) == expected


def test_an_experiment_that_cannot_be_read_is_told_by_name(tmp_path):
  broken = tmp_path / "broken.py"
  broken.write_text("def get_config(:\n")
  with pytest.raises(ConfigError, match="broken.py: SyntaxError"):
    config.execute(str(broken))
  broken.write_text("x = 1\n")
  with pytest.raises(ConfigError, match="get_config"):
    config.execute(str(broken))


def test_a_field_that_is_younger_than_folders_is_left_out_in_its_own_family_only():
  plain = config.to_json(config.base("vgg11"))["net"]
  assert not {"pool_window", "shared"} & plain.keys()
  assert config.to_json(config.base("vgg11", pool_window=3))["net"]["pool_window"] == 3
  apart = config.base("alexnet", pool_window=2)
  assert config.to_json(apart)["net"]["pool_window"] == 2
  assert config.from_json(config.to_json(apart)) == apart
