"""Dominated points beside the definition, and what the seeds can tell of them."""

import random

import pytest
from scipy import stats

from jaxnets.sweep import dominance, statistics


def by_definition(points):
  """Less or equal in both and less in one, of any other."""
  return [
    any(c <= cost and e <= error and (c < cost or e < error) for c, e in points)
    for cost, error in points
  ]


@pytest.mark.parametrize("seed", range(20))
def test_the_dominated_points_are_those_of_the_definition(seed):
  draw = random.Random(seed)
  # Few values, so that many points share a cost, an error or both.
  some = [(draw.randint(0, 12), draw.randint(0, 12) / 8) for _ in range(60)]
  many = [(draw.random(), draw.random()) for _ in range(200)]
  for points in (some, many, some[:1], []):
    assert dominance.dominated(points) == by_definition(points)


def test_equal_points_do_not_dominate_each_other():
  assert dominance.dominated([(1.0, 0.2), (1.0, 0.2)]) == [False, False]
  assert dominance.dominated([(1.0, 0.2), (1.0, 0.3), (2.0, 0.2)]) == [False, True, True]


def test_runs_that_are_no_pairs_have_welchs_interval():
  first, second = [0.31, 0.29, 0.33, 0.30], [0.36, 0.41, 0.38]
  welch = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.9)
  assert statistics.unpaired(first, second, 0.9) == pytest.approx((welch.low, welch.high))


def test_one_of_two_may_have_no_spread_but_not_both():
  first, second = [0.3, 0.3, 0.3], [0.35, 0.37, 0.36]
  # A number without a spread is a constant: what is left is Student's interval of the other mean.
  student = stats.ttest_1samp(second, 0.3).confidence_interval(0.95)
  found = statistics.unpaired(first, second)
  assert found == pytest.approx((student.low - 0.3, student.high - 0.3))
  assert statistics.unpaired(first, first) == (None, None)
  assert statistics.unpaired(first, [0.3]) == (None, None)


def test_pairs_tell_apart_what_seeds_move_together():
  better = {0: 0.10, 1: 0.20, 2: 0.30}
  worse = {0: 0.11, 1: 0.211, 2: 0.312}
  assert dominance.is_told_apart(better, worse)
  assert not dominance.is_told_apart(worse, better)
  # The same numbers of other seeds are no pairs, and their spread hides the difference.
  assert not dominance.is_told_apart(better, {seed + 3: e for seed, e in worse.items()})


def test_one_seed_tells_nothing_apart():
  assert not dominance.is_told_apart({0: 0.1}, {0: 0.9})
  assert not dominance.is_told_apart({0: 0.1, 1: 0.1}, {0: 0.9})
