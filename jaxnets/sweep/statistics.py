"""What accuracies of training runs, repeated over seeds, can and cannot tell apart.

All of it holds for accuracies or errors, as shares (0.93) or in percent, but for the noise of the
test images, which needs shares. Student 1908, "The probable error of a mean", for the t tests and
intervals: they assume runs that are independent and scatter about normally around their mean.

A spread of zero over several runs gives neither an interval nor a p value. Accuracies are counts
over the images, so a few runs can agree to the last bit, and that says that their spread is below
what the images resolve, not that it is known to be zero. An interval of zero width and p = 0 would
claim certainty.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

# float32's: values closer than this share of the largest differ by how they were rounded. One image
# in eight million is no less.
ROUNDING = 2.0**-23


class Summary(NamedTuple):
  """The mean of repeated runs, in the unit of the values."""

  n: int  # runs
  mean: float
  std: float | None  # of single runs, ddof 1; None for one run
  low: float | None  # t interval of the mean; None for one run or no spread
  high: float | None
  level: float  # share of such intervals that cover the true mean


class Difference(NamedTuple):
  """The mean difference of runs in pairs, second - first, in the unit of the values."""

  n: int  # pairs: seeds that both have
  mean: float | None  # None without a pair
  std: float | None  # of single differences, ddof 1; None for fewer than two pairs
  low: float | None  # t interval of the mean; None for fewer than two pairs or no spread
  high: float | None
  p: float | None  # two-sided paired t test of no difference; None where the interval is


def summarise(values: Iterable[float], level: float = 0.95) -> Summary:
  """Mean, spread and t interval of runs that differ in nothing but the seed.

  Raises:
    ValueError: no values, one that is not finite, or `level` not between 0 and 1.
  """
  values = [float(value) for value in values]
  if not values:
    raise ValueError("values are empty; a summary needs at least one run")
  _check_finite(values)
  _check_share("level", level)
  n, mean = len(values), statistics.fmean(values)
  std = _std(values, largest=max(map(abs, values)))
  low, high = _interval(n, mean, std, level)
  return Summary(n, mean, std, low, high, level)


def paired(
  first: Mapping[int, float], second: Mapping[int, float], level: float = 0.95
) -> Difference:
  """second - first on the seeds that both have, and its two-sided paired t test.

  Pairs take out what a seed does to both runs alike, such as its order of the images. The interval
  excludes 0 just where p < 1 - level.

  Differences without any spread leave the test undefined, t being x / 0 or 0 / 0: the mean stands
  alone then, with std = 0 and neither p nor interval. Differences that agree up to float32's
  rounding of the values count as equal: 0.8 - 0.7 and 0.9 - 0.8 differ by 1e-16, which would give
  p = 1e-15.

  Args:
    first: accuracy or error of each seed.
    second: in the same unit.
    level: of the interval.

  Raises:
    ValueError: a value of a common seed is not finite, or `level` not between 0 and 1. Runs that
      diverged have no difference; whoever leaves them out compares those that did not.
  """
  _check_share("level", level)
  seeds = sorted(first.keys() & second.keys())
  if not seeds:
    return Difference(0, None, None, None, None, None)
  values = [float(run[seed]) for run in (first, second) for seed in seeds]
  _check_finite(values)
  n = len(seeds)
  differences = [b - a for a, b in zip(values[:n], values[n:], strict=True)]
  mean, std = statistics.fmean(differences), _std(differences, largest=max(map(abs, values)))
  low, high = _interval(n, mean, std, level)
  return Difference(n, mean, std, low, high, _p(n, mean, std))


def unpaired(
  first: Iterable[float], second: Iterable[float], level: float = 0.95
) -> tuple[float, float] | tuple[None, None]:
  """The t interval of the mean of `second` less that of `first`, whose runs are no pairs.

  Welch 1947, "The generalization of 'Student's' problem when several different population variances
  are involved": either may have its own spread, one of them none. (None, None) where one has fewer
  than two runs, or neither has a spread.
  """
  some = [[float(value) for value in values] for values in (first, second)]
  for values in some:
    _check_finite(values)
  _check_share("level", level)
  if min(map(len, some)) < 2:
    return None, None
  largest = max(abs(value) for values in some for value in values)
  parts = [(_std(values, largest) or 0.0) ** 2 / len(values) for values in some]
  if not any(parts):
    return None, None
  from scipy import special

  freedom = sum(parts) ** 2 / sum(p**2 / (len(v) - 1) for p, v in zip(parts, some, strict=True))
  half = float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(sum(parts))
  mean = statistics.fmean(some[1]) - statistics.fmean(some[0])
  return mean - half, mean + half


def holm(ps: Sequence[float | None]) -> list[float | None]:
  """Adjusted p values: rejecting those <= alpha errs at all with probability alpha at most.

  Holm 1979, "A simple sequentially rejective multiple test procedure": the smallest of m p values
  times m, the next times m - 1, and so on, none below the one before it and none above 1. It holds
  however the tests depend on each other, as they do that share a baseline.

  Args:
    ps: of one family of tests: all that were looked at, not those that looked good. None, a test
      that could not be made, stays None and does not count as one of the family.

  Raises:
    ValueError: a p value is not between 0 and 1.
  """
  known = [(p, i) for i, p in enumerate(ps) if p is not None]
  for p, i in known:
    if not 0 <= p <= 1:
      raise ValueError(f"ps[{i}] (={p}) must lie between 0 and 1")
  adjusted: list[float | None] = [None] * len(ps)
  largest = 0.0
  for rank, (p, i) in enumerate(sorted(known)):
    largest = min(1.0, max(largest, (len(known) - rank) * p))
    adjusted[i] = largest
  return adjusted


def detectable(n: int, std: float | None, level: float = 0.95, power: float = 0.8) -> float | None:
  """The smallest true mean difference that a paired t test finds with that power.

  Three pairs find 3.3 std, five 1.7, ten 1.0. `std` from few pairs is itself a guess: the true
  one is 0.5 to 6 times that of three pairs in 95 % of cases. Under `holm` with m comparisons,
  level = 1 - 0.05 / m errs on the safe side.

  Args:
    n: pairs.
    std: of single differences; the result is in its unit.
    level: 1 - the two-sided test's probability to find a difference where there is none.
    power: the probability to find this one, above 1 - level.

  Returns:
    None for fewer than two pairs, and where no `std` is known or it is 0 (`paired`).

  Raises:
    ValueError: `std` is negative or not finite, `level` or `power` out of range.
  """
  _check_power(level, power)
  if n < 2 or not std:
    return None
  _check_std(std)
  low, high = 0.0, 1.0
  while _power(n, high, level) < power:
    low, high = high, 2 * high
  while high - low > 1e-9 * high:
    middle = (low + high) / 2
    if _power(n, middle, level) < power:
      low = middle
    else:
      high = middle
  return high * std


def seeds_needed(
  effect: float, std: float, level: float = 0.95, power: float = 0.8, most: int = 10_000
) -> int | None:
  """The fewest pairs with which a paired t test finds a true mean difference with that power.

  Args:
    effect: the true mean difference, of either sign.
    std: of single differences, in the same unit.
    level: as in `detectable`.
    power: as in `detectable`.
    most: pairs that are considered.

  Returns:
    None if `most` do not do, as for no effect, and for a `std` of 0, with which there is no test.

  Raises:
    ValueError: as `detectable`; `effect` is not finite.
  """
  _check_power(level, power)
  if not math.isfinite(effect):
    raise ValueError(f"effect (={effect}) must be finite")
  if not std:
    return None
  _check_std(std)
  ratio = abs(effect) / std
  if most < 2 or _power(most, ratio, level) < power:
    return None
  few, enough = 1, most
  while enough - few > 1:
    middle = (few + enough) // 2
    if _power(middle, ratio, level) < power:
      few = middle
    else:
      enough = middle
  return enough


def standard_error_of_test_set(accuracy: float, images: int) -> float:
  """sqrt(p (1 - p) / N), the binomial standard error of an accuracy on N test images.

  It is the noise of the choice of the images: how far off the accuracy may be on all images that
  could have been drawn. Runs evaluated on the same images share that draw. So it is no noise from
  run to run, more seeds do not lessen it, and it tells nothing of whether one net beats another on
  these images.

  Args:
    accuracy: or error, as a share.
    images: at least 1.

  Raises:
    ValueError: either is out of range.
  """
  _check_images(images)
  if not 0 <= accuracy <= 1:
    raise ValueError(f"accuracy (={accuracy}) must lie between 0 and 1; a share, not percent")
  return math.sqrt(accuracy * (1 - accuracy) / images)


def _std(values: list[float], largest: float) -> float | None:
  """Sample std; 0 where the values agree up to the rounding of numbers as large as `largest`."""
  if len(values) < 2:
    return None
  std = statistics.stdev(values)
  return std if std > ROUNDING * largest else 0.0


def _interval(
  n: int, mean: float, std: float | None, level: float
) -> tuple[float, float] | tuple[None, None]:
  if not std:
    return None, None
  from scipy import special

  half = float(special.stdtrit(n - 1, (1 + level) / 2)) * std / math.sqrt(n)
  return mean - half, mean + half


def _p(n: int, mean: float, std: float | None) -> float | None:
  if not std:
    return None
  from scipy import special

  return 2 * float(special.stdtr(n - 1, -abs(mean) * math.sqrt(n) / std))


def _power(n: int, ratio: float, level: float) -> float:
  """Of the two-sided t test of n differences whose true mean is `ratio` of their std."""
  from scipy import special

  t, shift = special.stdtrit(n - 1, (1 + level) / 2), ratio * math.sqrt(n)
  below, missed = (float(special.nctdtr(n - 1, shift, bound)) for bound in (-t, t))
  # SciPy gives NaN for some probabilities that are too small to matter.
  below, missed = (0.0 if math.isnan(share) else share for share in (below, missed))
  return 1 - missed + below


def _check_finite(values: list[float]) -> None:
  for value in values:
    if not math.isfinite(value):
      raise ValueError(f"values (one is {value}) must be finite; did a run diverge?")


def _check_share(name: str, share: float) -> None:
  if not 0 < share < 1:
    raise ValueError(f"{name} (={share}) must lie between 0 and 1; a share, not percent: 0.95")


def _check_power(level: float, power: float) -> None:
  _check_share("level", level)
  _check_share("power", power)
  if power <= 1 - level:
    raise ValueError(f"power (={power}) must exceed 1 - level (={1 - level:.3g})")


def _check_std(std: float) -> None:
  if not 0 <= std < math.inf:
    raise ValueError(f"std (={std}) must be finite and not negative")


def _check_images(images: int) -> None:
  if images < 1:
    raise ValueError(f"images (={images}) must be at least 1")
