import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BOUND = 2e-5  # largest difference of a parameter after three steps: the order of sums


@pytest.fixture(scope="module")
def measured():
  root = Path(__file__).parents[2]
  result = subprocess.run(
    [sys.executable, "-W", "error", "-m", "tests.train.eight_devices"],
    capture_output=True, text=True, cwd=root, env=os.environ, check=False,
  )  # fmt: skip
  assert result.returncode == 0, result.stderr[-2000:]
  return json.loads(result.stdout.splitlines()[-1])


def test_eight_devices_were_simulated(measured):
  assert measured["devices"] == 8


@pytest.mark.parametrize("program", ["jit 0", "jit 1", "jit 2", "jit 4", "shard_map 2"])
def test_no_image_moves_and_every_device_calls_its_own_kernels(measured, program):
  found = measured["programs"][program]
  assert found["moves"] == 0
  assert found["calls"] >= (0 if measured["kernels"] == "plain" else 7 + 6 + 7)


def test_eight_devices_train_as_one_within_a_stated_bound(measured):
  assert measured["one_vs_eight"] < BOUND
  assert measured["stats_one_vs_eight"] < BOUND


def test_eight_devices_give_the_same_bits_again(measured):
  assert measured["eight_again"] == 0


def test_shard_map_equals_jit_under_a_matching_batch_norm_group(measured):
  assert measured["jit_vs_shard_map"] < BOUND
  assert measured["stats_jit_vs_shard_map"] < BOUND


def test_the_batch_norm_group_matters(measured):
  assert measured["global_vs_per_device_groups"] > 100 * BOUND


def test_parts_of_a_sharded_batch_give_the_same_step(measured):
  assert measured["parts_vs_whole"] < BOUND


def test_every_image_is_counted_once_in_every_form(measured):
  assert measured["counts"] == [16, 16, 16]


def test_a_whole_run_with_everything_on_is_the_same_on_eight_devices(measured):
  assert measured["fit_one_vs_eight"] < BOUND


def test_a_run_that_has_one_of_the_devices_as_a_member_is_what_it_is_on_one(measured):
  assert measured["member_vs_one"] < BOUND
  assert measured["members"] > 1000 * BOUND


def test_a_whole_run_in_parts_is_the_same_on_eight_devices(measured):
  assert measured["fit_parts_vs_whole"] < BOUND


def test_evaluation_on_eight_devices_counts_every_image_once(measured):
  assert measured["fit_counts"] == [[500, 130]] * 4
