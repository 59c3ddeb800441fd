"""Cells: what is checked before the first one runs, how they are named, matched and ablated."""

import pytest

from jaxnets import config, cost, nets
from jaxnets.errors import ConfigError
from jaxnets.sweep import cells, equal, folder, grid
from tests.train.tiny import tiny_config


def resolve(overrides, base=None):
  base = base or tiny_config()
  return cells.resolve(base, overrides, equal.make_solve(base, None))


def test_a_cell_is_the_config_with_its_overrides():
  first, second = resolve(grid.product([grid.sweep("net.depth", [8, 14]), grid.fixed("seed", 1)]))
  assert first.hash == config.digest(config.changed(tiny_config(), {"net.depth": 8, "seed": 1}))
  assert first.folder == f"depth=8,seed=1-{first.hash[:8]}"
  assert second.config.net.depth == 14


@pytest.mark.parametrize(
  ("cell", "said"),
  [
    ({"net.dpeth": 8}, 'cell 2 of 2 .*no field "net.dpeth". Did you mean "net.depth"'),
    ({"net.depth": "x"}, "cell 2 of 2 .*must be int"),
    ({"optim.lr": -1.0}, "cell 2 of 2 .*optim.lr"),
    ({"net.name": "resnet5"}, "cell 2 of 2 .*resnet50"),
    ({}, "cells 1 and 2 are the same run"),
  ],
  ids=str,
)
def test_every_cell_is_checked_before_the_first_runs(cell, said):
  with pytest.raises(ConfigError, match=said):
    resolve([{}, cell])


def test_equal_cells_are_found_whatever_they_say():
  with pytest.raises(ConfigError, match="cells 1 and 3 are the same run"):
    resolve([{"net.depth": 8}, {"net.depth": 14}, {"optim.momentum": 0.9}])


def test_names_stay_apart_short_and_fit_for_files():
  assert cells.name({"train.batch": 32, "eval.batch": 50}) == "train.batch=32,eval.batch=50"
  assert cells.name({"net.units": (2, 2), "optim.lr": 1e-3}) == "units=2x2,lr=0.001"
  assert cells.name({"data.name": "folder:/a b"}) == "name=folder--a-b"
  (one,) = resolve([{"net.units": (1,) * 3, "optim.drops": tuple(0.001 * i for i in range(1, 99))}])
  assert len(one.folder) <= cells.LONGEST


def test_a_matched_axis_gives_every_cell_the_cost_of_the_config_itself():
  base = tiny_config(net__width=1.0)
  overrides = grid.product([
    grid.sweep("net.depth", [8, 14, 20]), grid.matched("net.width", macs={}), grid.seeds(2)
  ])  # fmt: skip
  found = resolve(overrides, base)
  facts = {"image_size": 8, "channels": 1, "classes": 10}

  def macs(c):
    axes = c.net.to_dict()
    return cost.cost_of(axes.pop("name"), "macs", **facts, **axes)

  target = macs(base)
  assert [abs(macs(cell.config) / target - 1) <= 0.01 for cell in found] == [True] * 6
  assert found[0].config.net.width == 1.0
  assert found[2].config.net.width < 0.8
  assert found[2].overrides["net.width"] == found[2].config.net.width


def test_matched_may_name_the_net_to_equal_and_a_second_axis():
  base = tiny_config(net__width=1.0)
  (one,) = resolve(
    grid.product([
      grid.fixed("net.kernel", 5),
      grid.matched("net.width", params={"net.depth": 14}, then="net.bottleneck"),
    ]), base
  )  # fmt: skip
  wanted = nets.build("cifar_resnet20", classes=10, depth=14)
  import jax

  params, _ = jax.eval_shape(lambda key: wanted.init(key, (1, 8, 8, 1)), jax.random.key(0))
  net = one.config.net.to_dict()
  ours = cost.cost_of(net.pop("name"), "params", image_size=8, channels=1, classes=10, **net)
  assert abs(ours / nets.count_parameters(params) - 1) <= 0.01


def test_a_matched_axis_that_the_net_has_not_is_told():
  with pytest.raises(ConfigError, match='has no axis "hidden_width"'):
    resolve(grid.matched("net.hidden_width", macs=1e6))


def test_cells_of_one_program_are_known_before_anything_runs():
  overrides = grid.product([
    grid.sweep("net.depth", [8, 14]), grid.sweep("optim.lr", [0.1, 0.2]),
    grid.sweep("optim.weight_decay", [0.0, 1e-4]), grid.seeds(5),
  ])  # fmt: skip
  found = resolve(overrides)
  assert len(found) == 40
  assert len({cell.program for cell in found}) == 2


def test_an_ablation_goes_from_one_net_to_the_other_in_single_steps():
  first, second = tiny_config(), tiny_config(net__depth=14, net__shortcut="none", net__kernel=5)
  found = resolve(cells.ablate(first, second), first)
  said = [{k: v for k, v in cell.overrides.items() if k != "net.name"} for cell in found]
  changed = [{k for k in s if s[k] != config.flatten(first)[k]} for s in said]
  keys = ["net.depth", "net.kernel", "net.shortcut"]
  wanted = [set(), *({k} for k in keys), {*keys[:2]}, {*keys}, {*keys[1:]}, {keys[0], keys[2]}]
  assert sorted(map(sorted, changed)) == sorted(map(sorted, wanted))
  assert config.digest(found[0].config) == config.digest(first)
  assert config.digest(second) in {cell.hash for cell in found}


def test_an_ablation_across_families_begins_with_the_one_and_ends_with_the_other():
  first = tiny_config("alexnet", net__stem="small", net__width=0.1, data__image_size=32)
  second = tiny_config("vgg16", net__stem="small", net__width=0.1, data__image_size=32)
  way = cells.ablate(first, second, lambda c: equal.is_possible(c, None))
  found = resolve(way, first)
  assert found[0].hash == config.digest(first)
  assert found[-1].hash == config.digest(second)
  assert {cell.config.net.name for cell in found} == {"alexnet", "vgg16"}
  assert any(cell.config.net.name == "alexnet" and not cell.config.net.lrn for cell in found)


def test_the_length_of_a_run_is_one_axis_of_an_ablation():
  first = tiny_config()
  second = tiny_config(train__steps=0, train__epochs=2.0, optim__lr=0.2)
  found = resolve(cells.ablate(first, second), first)
  lengths = [(c.config.train.steps, c.config.train.epochs, c.config.optim.lr) for c in found]
  assert sorted(lengths) == [(0, 2.0, 0.05), (0, 2.0, 0.2), (8, 0.0, 0.05), (8, 0.0, 0.2)]


def test_a_second_axis_that_the_cell_sets_is_refused():
  overrides = grid.product([
    grid.sweep("net.depth", [8, 14]), grid.matched("net.width", macs={}, then="net.depth")
  ])  # fmt: skip
  with pytest.raises(ConfigError, match="net.depth cannot be solved"):
    resolve(overrides)


def test_nothing_to_ablate_is_told():
  with pytest.raises(ConfigError, match="nothing to ablate"):
    cells.ablate(tiny_config(), tiny_config())


def test_the_folder_gives_back_every_config(tmp_path):
  base = tiny_config()
  found = resolve([{"net.depth": 14}, {"net.name": "vgg11", "net.stem": "small"}, {"seed": 9}])
  assert folder.write(tmp_path, "f.py", "Why?", base, found) == 0
  sweep = folder.read(tmp_path)
  assert sweep.question == "Why?"
  for cell, row in zip(found, sweep.cells, strict=True):
    assert config.digest(config.from_json(row["config"])) == cell.hash == row["hash"]
    assert folder.find(sweep, cell.hash[:6]) == row


def test_a_wider_sweep_in_the_same_folder_keeps_what_was_there(tmp_path):
  base = tiny_config()
  few = resolve(grid.seeds(2))
  many = resolve(grid.seeds(3))
  folder.write(tmp_path, "f.py", "", base, few)
  assert folder.write(tmp_path, "f.py", "", base, many) == 0
  assert folder.write(tmp_path, "f.py", "", base, few) == 1
  assert len(folder.read(tmp_path).cells) == 3


def test_a_hash_that_is_not_there_is_told(tmp_path):
  folder.write(tmp_path, "f.py", "", tiny_config(), resolve(grid.seeds(2)))
  with pytest.raises(ConfigError, match='no cell "zzzz"'):
    folder.find(folder.read(tmp_path), "zzzz")
  with pytest.raises(ConfigError, match="begins the hashes of 2 cells"):
    folder.find(folder.read(tmp_path), "")
