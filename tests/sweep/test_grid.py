"""The algebra of sweeps against itertools, and what it refuses."""

import itertools

import pytest

from jaxnets.errors import ConfigError
from jaxnets.sweep import grid


def test_a_product_is_every_combination_with_the_last_part_fastest():
  got = grid.product([grid.sweep("a.x", [1, 2]), grid.fixed("a.y", 0), grid.seeds(3)])
  wanted = [{"a.x": x, "a.y": 0, "seed": s} for x, s in itertools.product([1, 2], range(3))]
  assert got == wanted


def test_zipit_goes_side_by_side_and_repeats_parts_of_one_cell():
  got = grid.zipit([grid.sweep("a", [1, 2]), grid.sweep("b", [3, 4]), grid.fixed("c", 5)])
  assert got == [{"a": 1, "b": 3, "c": 5}, {"a": 2, "b": 4, "c": 5}]
  with pytest.raises(ConfigError, match="one length"):
    grid.zipit([grid.sweep("a", [1, 2]), grid.sweep("b", [3, 4, 5])])


def test_chainit_goes_one_after_the_other_and_where_keeps_what_holds():
  chain = grid.chainit([grid.sweep("a", [1, 2]), grid.sweep("b", [3])])
  assert chain == [{"a": 1}, {"a": 2}, {"b": 3}]
  assert grid.where(chain, lambda cell: cell.get("a", 0) > 1) == [{"a": 2}]


def test_keys_may_begin_with_config_as_flags_do():
  assert grid.sweep("config.net.depth", [8]) == [{"net.depth": 8}]
  assert grid.plain([{"config.seed": 1}]) == [{"seed": 1}]


def test_seeds_are_a_number_of_them_or_a_list():
  assert grid.seeds(2) == [{"seed": 0}, {"seed": 1}]
  assert grid.seeds([5, 7]) == [{"seed": 5}, {"seed": 7}]


def test_a_key_set_by_two_parts_is_refused():
  with pytest.raises(ConfigError, match="two parts .* set a"):
    grid.product([grid.sweep("a", [1]), grid.sweep("a", [2])])


@pytest.mark.parametrize("targets", [{}, {"macs": 1.0, "params": 2.0}])
def test_matched_wants_one_target(targets):
  with pytest.raises(ConfigError, match="takes one of macs, params, activations"):
    grid.matched("net.width", **targets)


def test_matched_wants_an_axis_of_the_net():
  with pytest.raises(ConfigError, match="an axis of the net"):
    grid.matched("optim.lr", macs=1e6)


@pytest.mark.parametrize("wrong", [None, 3, "ab", {"a": 1}, [3]])
def test_what_is_no_list_of_dicts_is_refused(wrong):
  with pytest.raises(ConfigError, match="get_sweep returned"):
    grid.plain(wrong)
