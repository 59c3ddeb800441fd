"""Nets of equal cost: what is found costs what was asked for, counted by itself."""

import math
import random
import re

import jax
import pytest

from jaxnets import cost, nets
from jaxnets.cost import match, matching, staircase
from jaxnets.errors import ConfigError

# One net of each family and kind of unit, on small images and with few layers: the arithmetic of
# widths is the same, and tracing is quicker.
NETS = {
  "mlp": {},
  "alexnet": {"image_size": 99},
  "vgg11": {"image_size": 32},
  "googlenet": {"image_size": 64, "units": (1, 2, 1)},
  "inception_v3": {"image_size": 79, "units": (1, 1, 1)},
  # Of 16, 32 and 64 channels: where whole ones are too coarse, the bottleneck closes the gap.
  "cifar_resnet20": {"units": (1, 1, 1), "then": "bottleneck"},
  "resnet50": {"image_size": 64, "units": (1, 1, 1, 1)},
  "resnext50_32x4d": {"image_size": 64, "units": (1, 1, 1, 1), "then": "bottleneck"},
}


def count(name, quantity, image_size=None, then="", **fields):
  """Independent of the matcher: the net is built, traced and counted."""
  del then
  net, side = nets.build(name, **fields), image_size or nets.variant(name).image_size
  image = jax.ShapeDtypeStruct((1, side, side, 3), "float32")
  params, stats = jax.eval_shape(lambda: net.init(jax.random.key(0), image.shape))
  found = cost.of(lambda p, s, x: net.apply(p, s, x).logits, params, stats, image)
  return getattr(found, quantity)


def targets():
  """Three for each net, a quarter to four times what it costs as it is."""
  for name in NETS:
    draw = random.Random(name)
    for quantity in ("macs", "params", "activations"):
      yield name, quantity, 0.25 * 16 ** draw.random()


@pytest.mark.parametrize(("name", "quantity", "factor"), list(targets()))
def test_a_random_target_is_met_within_a_hundredth(name, quantity, factor):
  fields = NETS[name]
  target = factor * count(name, quantity, **fields)
  found = match(name, **{quantity: target}, **fields)
  size = {"image_size": fields["image_size"]} if "image_size" in fields else {}
  assert count(name, quantity, **size, **found.fields) == found.cost
  assert abs(found.cost - target) <= 0.01 * target
  assert found.error == pytest.approx(found.cost / target - 1)
  assert len(str(found.value)) <= 8  # a width that one can write


def test_a_shallow_net_is_as_dear_as_a_deep_one():
  target = count("cifar_resnet56", "macs")
  assert target == 125_485_696
  found = match("cifar_plain20", macs=target)
  assert count("cifar_plain20", "macs", width=found.value) == pytest.approx(target, rel=0.01)
  assert found.value > 1.5


def test_other_axes_can_be_solved():
  hidden = match("alexnet", "hidden", params=30e6, image_size=99)
  assert isinstance(hidden.value, int)
  assert count("alexnet", "params", image_size=99, hidden=hidden.value) == hidden.cost
  depth = match("cifar_resnet20", "depth", macs=count("cifar_resnet32", "macs"))
  assert depth.value == 32


def test_what_no_value_can_give_is_explained():
  target = 1.1 * count("cifar_resnet20", "macs")
  with pytest.raises(ConfigError, match="net.depth of cifar_resnet20 cannot give") as error:
    match("cifar_resnet20", "depth", macs=target)
  assert "40,551,040 at 20" in str(error.value)
  with pytest.raises(ConfigError) as small:
    match("cifar_resnet20", params=30, units=(1, 1, 1))
  assert all(len(str(e.value).splitlines()) <= 2 for e in (error, small))


@pytest.mark.parametrize(
  ("target", "nearest", "advice"),
  [(4400, "4,000 at width=1.0", "Give tolerance=0.091"), (1, "10 at width=", "Mend the target")],
)
def test_two_axes_that_fail_together_are_told_in_two_lines(target, nearest, advice, monkeypatch):
  # Costs of our own, in steps of a thousand; the second axis changes nothing above the first.
  monkeypatch.setattr(
    matching, "cost_of", lambda net, quantity, *, width, **more: 1000 * round(4 * width) or 10
  )
  with pytest.raises(ConfigError) as error:
    match("cifar_resnet20", macs=target, then="bottleneck", units=(1, 1, 1))
  first, second = str(error.value).splitlines()
  assert first.startswith("net.width and net.bottleneck of cifar_resnet20 cannot give ")
  assert f" MACs within 0.01: the nearest is {nearest}" in first
  assert re.search(r" at width=[\d.]+ and bottleneck=[\d.]+ \(", first)
  assert "units" not in first
  assert second == f"{advice}, or solve another second axis"


@pytest.mark.parametrize("factor", [0.01, 0.9, 1.1, 100])
def test_an_axis_that_does_not_matter_is_said_not_to(factor):
  target = factor * count("cifar_resnet20", "macs", units=(1, 1, 1))
  with pytest.raises(ConfigError, match=r"hidden .* has no influence"):
    match("cifar_resnet20", "hidden", macs=target, units=(1, 1, 1))


@pytest.mark.parametrize(
  "wrong",
  [
    {},
    {"macs": 1e6, "params": 1e6},
    {"macs": 1e6, "axis": "activation"},
    {"macs": 1e6, "axis": "widht"},
    {"macs": -1.0},
    {"macs": 1e6, "tolerance": 0.0},
  ],
  ids=str,
)
def test_what_cannot_be_meant_is_refused(wrong):
  with pytest.raises(ConfigError) as error:
    match("cifar_resnet20", **wrong)
  assert len(str(error.value).splitlines()) <= 2


def test_measured_time_is_matched_too(monkeypatch):
  # A clock of our own: a step takes as long as it has parameters.
  monkeypatch.setattr(
    matching,
    "_seconds",
    lambda net, shape: (
      1e-9
      * nets.count_parameters(
        jax.eval_shape(lambda: net.init(jax.random.key(0), (1, *shape[1:])))[0]
      )
    ),
  )
  found = match("cifar_resnet20", seconds=1e-3, units=(1, 1, 1))
  assert found.cost == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("target", [0.5, 2.0])
def test_a_search_ends_where_noise_hides_that_nothing_changes(target):
  search = staircase.begin(lambda value: 1 + 0.02 * math.sin(1e3 * value), 1.0, target, 0.1)
  assert staircase.bracket(search, power=1.5) == "end"
  assert len(search.costs) <= 10


def test_a_search_follows_a_cost_from_where_it_hardly_changes():
  search = staircase.begin(lambda value: 1000 + value**2, 1, 2000, 0.001)
  assert staircase.bracket(search, power=1.0) == "crossed"
  staircase.refine(search, (2,))
  assert staircase.best(search) == 32  # 1000 + 32^2 = 2024; 31 gives 1961


def test_a_search_ends_at_the_floor_of_a_cost():
  search = staircase.begin(lambda value: 1000 + value**2, 64, 900, 0.001)
  assert staircase.bracket(search, power=1.0) == "end"
  assert search.costs[min(search.costs)] <= 1000 + 8**2


def test_a_last_step_that_crosses_the_target_counts():
  search = staircase.begin(lambda value: value**2, 1.0, (4.05 * staircase.REACH) ** 2, 0.001)
  assert staircase.bracket(search, power=0.1) == "crossed"
  assert max(search.costs) >= staircase.REACH
