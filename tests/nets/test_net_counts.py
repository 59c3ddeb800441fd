"""Parameters and multiply-adds of the nets beside each other; those of each by itself are in
tests/cli/test_cost.py, as the command says them."""

import json
import pathlib

import jax
import pytest

from jaxnets import nets
from jaxnets.cost import count_macs

COUNTS = json.loads(pathlib.Path(nets.__file__).with_name("counts.json").read_text())
KEY = jax.random.key(0)


def shapes(net, shape):
  return jax.eval_shape(lambda key: net.init(key, shape), KEY)


def macs(net, params, stats, shape, *, train=False):
  def forward(params, stats, images, key):
    return net.apply(params, stats, images, train=train, key=key)

  return count_macs(forward, params, stats, jax.ShapeDtypeStruct(shape, "float32"), KEY)


def test_every_published_count_has_a_net():
  assert set(COUNTS) <= set(nets.VARIANTS)


def test_fully_connected_layers_hold_most_of_alexnet_and_vgg_but_not_of_googlenet():
  def head_share(name):
    params = shapes(nets.build(name), (1, *COUNTS[name]["input"]))[0]
    heads = [params[layer] for layer in ("hidden1", "hidden2", "head") if layer in params]
    return nets.count_parameters(heads), nets.count_parameters(params)

  assert head_share("alexnet") == (58_631_144, 60_965_224)
  assert head_share("vgg16") == (123_642_856, 138_357_544)
  assert head_share("googlenet") == (1_025_000, 6_998_552)
  assert head_share("resnet50") == (2_049_000, 25_557_032)


def test_a_plain_net_has_the_parameters_of_its_option_a_net():
  for plain, residual in (("plain34", "resnet34_a"), ("cifar_plain56", "cifar_resnet56")):
    shape = (1, *COUNTS[plain]["input"])
    assert shapes(nets.build(plain), shape) == shapes(nets.build(residual), shape)


def test_reduction_makes_googlenets_first_5x5_branch_ten_times_cheaper():
  # Module 3a, per location: 25 * 192 * 32 against 192 * 16 + 25 * 16 * 32; section 4 of the paper.
  def per_location(**fields):
    only = {"stem": "small", "branches": ("5x5",), "units": (1, 1, 1), "pooling": "average"}
    net = nets.build("googlenet", **only, **fields)
    params = shapes(net, (1, 8, 8, 3))[0]["inception3a"]
    return sum(layer["kernel"].size for layer in params.values())

  assert per_location(reduction=False) == 153_600
  assert per_location() == 15_872


def test_the_naive_module_passes_on_all_that_it_pools():
  # 3a: 64 + 128 + 32 + the 192 pooled; 3b: 128 + 192 + 96 + the 416 pooled.
  params = shapes(nets.build("googlenet_naive"), (1, 224, 224, 3))[0]
  assert params["inception3b"]["1x1"]["kernel"].shape[2] == 416
  assert params["inception4a"]["1x1"]["kernel"].shape[2] == 832
  unreduced = shapes(nets.build("googlenet_unreduced"), (1, 224, 224, 3))[0]
  assert unreduced["inception4a"]["1x1"]["kernel"].shape[2] == 480


def test_width_scales_multiply_adds_by_about_its_square():
  shape = (1, 32, 32, 3)
  full, half = (
    macs(net, *shapes(net, shape), shape)
    for net in (nets.build("cifar_resnet20"), nets.build("cifar_resnet20", width=0.5))
  )
  assert full / half == pytest.approx(4, rel=0.02)
