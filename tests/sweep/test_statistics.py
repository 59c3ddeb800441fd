"""SciPy's own tests and distributions, examples by hand, and the promises kept in simulations."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from jaxnets.sweep import statistics

IMAGES = 500
SCORES = {1: 0.912, 2: 0.924, 3: 0.908, 5: 0.93}
OTHERS = {5: 0.936, 1: 0.918, 4: 0.5, 3: 0.92, 2: 0.922}


def simulated(rng, model, shape):
  """Accuracies whose true mean is 0.9: what a seed does to all its runs alike, and to each run."""
  *_, n = shape
  runs = 0.9 + 0.008 * rng.standard_normal((shape[0], 1, n)) + 0.006 * rng.standard_normal(shape)
  return runs if model == "normal" else rng.binomial(IMAGES, runs) / IMAGES


def by_seed(values):
  return dict(enumerate(values.tolist()))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_a_summary_has_scipys_t_interval(level):
  values = list(SCORES.values())
  got = statistics.summarise(iter(values), level)
  assert (got.n, got.level) == (4, level)
  assert got.mean == pytest.approx(np.mean(values), rel=1e-14)
  assert got.std == pytest.approx(np.std(values, ddof=1), rel=1e-12)
  expected = stats.t.interval(level, 3, loc=np.mean(values), scale=stats.sem(values))
  assert (got.low, got.high) == pytest.approx(expected, rel=1e-12)


def test_one_run_has_a_mean_and_no_spread():
  assert statistics.summarise([0.9]) == (1, 0.9, None, None, None, 0.95)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_a_paired_difference_is_scipys_paired_t_test_on_the_common_seeds(level):
  got = statistics.paired(SCORES, OTHERS, level)
  seeds = [1, 2, 3, 5]
  first, second = ([scores[s] for s in seeds] for scores in (SCORES, OTHERS))
  expected = stats.ttest_rel(second, first)
  interval = expected.confidence_interval(level)
  assert got.n == 4
  assert got.mean == pytest.approx(np.mean(second) - np.mean(first), rel=1e-12)
  assert got.std == pytest.approx(np.std(np.subtract(second, first), ddof=1), rel=1e-12)
  assert got.p == pytest.approx(expected.pvalue, rel=1e-10)
  assert (got.low, got.high) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_p_is_that_of_scipy_however_small():
  rng = np.random.default_rng(0)
  first = rng.normal(0.5, 0.01, 30)
  second = first + rng.normal(0.2, 0.01, 30)
  got = statistics.paired(by_seed(first), by_seed(second)).p
  assert got == pytest.approx(stats.ttest_rel(second, first).pvalue, rel=1e-9)
  assert 0 < got < 1e-30


def test_exchanging_the_runs_turns_the_sign_and_keeps_p():
  forth, back = statistics.paired(SCORES, OTHERS), statistics.paired(OTHERS, SCORES)
  assert (back.mean, back.low, back.high) == (-forth.mean, -forth.high, -forth.low)
  assert (back.n, back.std, back.p) == (forth.n, forth.std, forth.p)


def test_without_a_common_seed_there_is_no_difference():
  assert statistics.paired({1: 0.9}, {2: 0.8}) == (0, None, None, None, None, None)


def test_one_common_seed_gives_a_mean_and_no_test():
  assert statistics.paired({1: 0.5, 2: 0.9}, {1: 0.75}) == (1, 0.25, None, None, None, None)


@pytest.mark.parametrize("step", [0, 0.1])
def test_differences_without_spread_have_neither_p_nor_interval(step):
  first = {1: 0.7, 2: 0.8, 3: 0.3}
  second = {seed: value + step for seed, value in first.items()}
  got = statistics.paired(first, second)
  assert got.mean == pytest.approx(step)
  assert (got.n, got.std, got.low, got.high, got.p) == (3, 0, None, None, None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_counts_of_images_are_equal_differences_however_they_were_rounded(dtype):
  counts = np.array([3011, 21007, 49950])
  first, second = (by_seed((c / dtype(50_000)).astype(dtype)) for c in (counts, counts + 7))
  assert np.std([second[s] - first[s] for s in first]) > 0
  assert statistics.paired(first, second).p is None


def test_a_spread_of_one_image_in_fifty_thousand_counts():
  counts = np.array([3011, 21007, 49950])
  first, second = by_seed(counts / 50_000), by_seed((counts + np.array([7, 7, 8])) / 50_000)
  assert statistics.paired(first, second).p == pytest.approx(stats.ttest_1samp([7, 7, 8], 0)[1])


def test_runs_without_spread_have_no_interval():
  assert statistics.summarise([0.9, 0.9, 0.9]) == (3, 0.9, 0, None, None, 0.95)


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("model", ["normal", "counts"])
def test_95_percent_intervals_cover_the_true_mean_in_95_percent_of_sweeps(model, n):
  sweeps, effect = 4000, 0.02
  runs = simulated(np.random.default_rng(n), model, (sweeps, 2, n))
  shifted = runs - np.array([[0.0], [effect]])
  one = [statistics.summarise(values) for values in runs[:, 0]]
  two = [statistics.paired(by_seed(second), by_seed(first)) for first, second in shifted]
  for got, true in ((one, 0.9), (two, effect)):
    covered = [s.low is not None and s.low <= true <= s.high for s in got]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_holm_adjusts_an_example_by_hand():
  # Of four: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not fall below the one before.
  assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
  assert statistics.holm([0.6, 0.5]) == [1, 1]
  assert statistics.holm([0.3]) == [0.3]
  assert statistics.holm([]) == []


def test_holm_leaves_tests_that_could_not_be_made_out_of_the_family():
  assert statistics.holm([None, 0.01, None, 0.02]) == [None, 0.02, None, 0.02]
  assert statistics.holm([None]) == [None]


def test_holm_is_the_closed_bonferroni_test():
  rng = np.random.default_rng(1)
  for _ in range(20):
    ps = (rng.random(5) ** 3).tolist()
    families = [s for k in range(1, 6) for s in itertools.combinations(range(5), k)]
    bonferroni = {s: min(1, len(s) * min(ps[i] for i in s)) for s in families}
    expected = [max(p for s, p in bonferroni.items() if i in s) for i in range(5)]
    assert statistics.holm(ps) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("baseline", ["shared", "own"])
@pytest.mark.parametrize("model", ["normal", "counts"])
def test_holm_errs_in_at_most_5_percent_of_families_when_nothing_differs(model, baseline):
  families, tests, n = 2500, 6, 4
  rng = np.random.default_rng(2)
  runs = simulated(rng, model, (families, 2 * tests, n))
  plain = adjusted = 0
  for family in runs:
    scores = [by_seed(values) for values in family]
    firsts = scores[:1] * tests if baseline == "shared" else scores[:tests]
    pairs = zip(firsts, scores[tests:], strict=True)
    ps = [statistics.paired(first, second).p for first, second in pairs]
    plain += any(p is not None and p <= 0.05 for p in ps)
    adjusted += any(p is not None and p <= 0.05 for p in statistics.holm(ps))
  assert adjusted / families <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / families)
  assert adjusted / families >= 0.02  # it does not buy that by finding nothing
  assert plain / families > 0.12  # and without it the promise would be broken


def simulated_power(effect, std, n, level=0.95, sweeps=200_000):
  """Share of SciPy's t tests of `n` differences that find the effect."""
  differences = np.random.default_rng(n).normal(effect, std, (sweeps, n))
  return np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < 1 - level)


@pytest.mark.parametrize(
  ("n", "level", "power"), [(2, 0.9, 0.8), (3, 0.95, 0.8), (8, 0.99, 0.6), (4, 0.8, 0.25)]
)
def test_a_detectable_difference_is_found_with_the_promised_power(n, level, power):
  effect = statistics.detectable(n, 0.03, level, power)
  assert simulated_power(effect, 0.03, n, level) == pytest.approx(power, abs=0.005)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_paired_finds_a_detectable_difference_with_the_promised_power(n):
  rng = np.random.default_rng(n)
  effect, sweeps = statistics.detectable(n, 0.006 * math.sqrt(2)), 3000
  runs = simulated(rng, "normal", (sweeps, 2, n)) + np.array([[0.0], [effect]])
  ps = [statistics.paired(by_seed(first), by_seed(second)).p for first, second in runs]
  assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("n", [2, 3, 7, 40, 1000])
def test_power_is_that_of_scipys_noncentral_t(n):
  effect = statistics.detectable(n, 2.0)
  shift, bound = effect / 2.0 * math.sqrt(n), stats.t.ppf(0.975, n - 1)
  assert stats.nct.sf(bound, n - 1, shift) == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(("effect", "n"), [(0.8, 15), (0.5, 34), (0.2, 199)])
def test_seeds_needed_are_those_of_the_power_tables(effect, n):
  # G*Power 3.1, "difference between two dependent means": alpha 0.05 two-sided, power 0.8.
  assert statistics.seeds_needed(effect, 1.0) == n


def test_seeds_needed_reach_the_power_and_one_fewer_does_not():
  n = statistics.seeds_needed(-0.004, 0.005)
  assert simulated_power(0.004, 0.005, n) == pytest.approx(0.8, abs=0.03)
  assert simulated_power(0.004, 0.005, n) > 0.8 > simulated_power(0.004, 0.005, n - 1)


def test_a_detectable_difference_needs_just_its_seeds():
  effects = [statistics.detectable(n, 0.7) for n in range(2, 40)]
  assert effects == sorted(effects, reverse=True)
  for n, effect in enumerate(effects, 2):
    assert statistics.seeds_needed(effect, 0.7) == n
    assert statistics.seeds_needed(effect * 0.999, 0.7) == n + 1


def test_a_detectable_difference_grows_with_the_spread_and_the_power():
  assert statistics.detectable(5, 6.0) == pytest.approx(3 * statistics.detectable(5, 2.0))
  few, many = (statistics.detectable(5, 2.0, power=power) for power in (0.5, 0.999_999))
  assert few < statistics.detectable(5, 2.0) < many


@pytest.mark.parametrize(("n", "std"), [(0, 1.0), (1, 1.0), (1, None), (5, None), (5, 0.0)])
def test_nothing_is_known_to_be_detectable_without_a_test(n, std):
  assert statistics.detectable(n, std) is None


def test_seeds_may_not_do():
  assert statistics.seeds_needed(0.0, 1.0) is None
  assert statistics.seeds_needed(1.0, 0.0) is None
  assert statistics.seeds_needed(0.5, 1.0, most=34) == 34
  assert statistics.seeds_needed(0.5, 1.0, most=33) is None
  assert statistics.seeds_needed(100.0, 1.0, most=1) is None


def test_the_standard_error_of_a_test_set_is_the_scatter_over_drawn_test_sets():
  got = statistics.standard_error_of_test_set(0.93, 400)
  drawn = np.random.default_rng(3).binomial(400, 0.93, 100_000) / 400
  assert got == pytest.approx(drawn.std(), rel=0.01)
  assert statistics.standard_error_of_test_set(0.9, 100) == pytest.approx(0.03)
  assert statistics.standard_error_of_test_set(1, 100) == 0


def test_the_noise_of_the_images_is_not_seen_from_run_to_run():
  # Each image comes out right in all runs or in none, but for a few: `runs` sees only those.
  rng = np.random.default_rng(4)
  hard = rng.random((IMAGES, 1)) < 0.1
  right = np.where(rng.random((IMAGES, 300)) < 0.01, hard, ~hard)
  runs = statistics.summarise(right.mean(0).tolist())
  images = statistics.standard_error_of_test_set(runs.mean, IMAGES)
  assert runs.std == pytest.approx(math.sqrt(0.01 * 0.99 / IMAGES), rel=0.15)
  assert images == pytest.approx(math.sqrt(right.mean() * (1 - right.mean()) / IMAGES))
  assert images > 2.5 * runs.std


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda: statistics.summarise([]), "empty"),
    (lambda: statistics.summarise([0.9, math.nan]), "nan"),
    (lambda: statistics.summarise([0.9], level=95), "0.95"),
    (lambda: statistics.paired({1: 0.9}, {1: math.inf}), "inf"),
    (lambda: statistics.paired({}, {}, level=0), "level"),
    (lambda: statistics.holm([0.5, 1.5]), r"ps\[1\] \(=1.5\)"),
    (lambda: statistics.holm([math.nan]), "nan"),
    (lambda: statistics.detectable(3, -1.0), "std"),
    (lambda: statistics.detectable(3, math.nan), "std"),
    (lambda: statistics.detectable(3, 1.0, power=0.05), "exceed"),
    (lambda: statistics.seeds_needed(math.nan, 1.0), "effect"),
    (lambda: statistics.seeds_needed(1.0, math.inf), "std"),
    (lambda: statistics.standard_error_of_test_set(93.0, 100), "percent"),
    (lambda: statistics.standard_error_of_test_set(0.93, 0), "images"),
  ],
)
def test_what_makes_no_sense_is_refused(call, message):
  with pytest.raises(ValueError, match=message):
    call()


def test_a_run_that_diverged_hinders_no_comparison_that_leaves_its_seed_out():
  assert statistics.paired({1: 0.5, 2: math.nan}, {1: 0.75}).mean == 0.25


def test_importing_it_loads_no_heavy_library():
  program = "import sys, jaxnets.sweep.statistics; print(*sys.modules)"
  done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
  assert not {"jax", "numpy", "scipy"} & set(done.stdout.split())
