"""What the numbers say, in one sentence that claims no more than they do.

A difference counts where its paired t test, corrected for all comparisons of the family (Holm),
gives p <= 1 - level. One seed gives no verdict.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxnets.report import axes, words
from jaxnets.runs import STATES
from jaxnets.sweep import aggregate, statistics
from jaxnets.sweep.aggregate import Compared, Group
from jaxnets.sweep.statistics import Difference

DEPTH = "net.depth"


class Verdict(NamedTuple):
  """The sentence and what it rests on; groups by their index."""

  kind: str  # nothing, single, seed, different, same, untested
  sentence: str
  better: list[int]  # than the baseline, after correction
  worse: list[int]
  open: list[int]  # tested, not separable from the baseline
  untested: list[int]  # fewer than two common seeds, or no spread at all
  detectable: float | None  # difference that 80 % of such experiments would find; kind "same"


class DepthChange(NamedTuple):
  """From the shallowest net of a setting to its deepest; differences of accuracy or loss."""

  setting: str  # of the other axes
  shallow: Any
  deep: Any
  train: Difference
  test: Difference
  train_p: float | None  # corrected for all differences of this list
  test_p: float | None


def judge(found: Sequence[Compared], labels: Sequence[str], metric: str, level: float) -> Verdict:
  """The verdict on groups against the first of them."""
  lost = _lost([one.group for one in found])
  done = [i for i, one in enumerate(found) if one.summary]
  if not done:
    return _verdict("nothing", f"No run is done yet, so there is no verdict{lost}.")
  name, share = words.metric_name(metric), aggregate.is_share(metric)
  if len(found) == 1:
    return _verdict(
      "single", f"{_alone(found[0], name, share)}; there is nothing to compare{lost}."
    )
  pairs = [i for i, one in enumerate(found) if one.difference and one.difference.n > 0]
  tested = [i for i in pairs if found[i].p is not None]
  if not tested:
    return _untested(found, labels, name, share, metric, pairs, lost)
  alpha = 1 - level
  sign = words.improves(metric) or 1
  apart = [i for i in tested if _p(found[i]) <= alpha]
  better = [i for i in apart if sign * _mean(found[i]) > 0]
  worse = [i for i in apart if i not in better]
  unsure = [i for i in tested if i not in apart]
  untested = [i for i in range(1, len(found)) if i not in tested]
  largest = max(apart or tested, key=lambda i: abs(_mean(found[i])))
  effect = _effect(found[largest], share, level)
  limit = None
  if apart:
    kind, said = (
      "different",
      _difference(better, worse, found, labels, name, metric, largest, effect),
    )
    if unsure:
      said += f"; {_count(len(unsure), len(found) - 1)} not separable from {labels[0]}"
  else:
    kind = "same"
    one = found[largest].difference
    limit = one and statistics.detectable(one.n, one.std, 1 - alpha / len(tested))
    said = _no_difference(found, labels, name, largest, effect, share, limit, untested)
  if untested:
    said += (
      f"; {_count(len(untested), len(found) - 1)} without a test (too few common seeds, or no "
      "spread)"
    )
  return Verdict(kind, f"{said}{lost}.", better, worse, unsure, untested, limit)


def depth_changes(
  groups: Sequence[Group], keys: Sequence[str], metric: str, level: float
) -> list[DepthChange]:
  """For every setting of the other axes, the deepest net against the shallowest on common seeds."""
  if DEPTH not in keys or not axes.is_numeric(axes.values(groups, DEPTH)):
    return []
  kind = metric.rpartition("_")[2]
  changes = []
  for setting, own in axes.facets(groups, [key for key in keys if key != DEPTH]):
    ordered = sorted((groups[i] for i in own), key=lambda one: one.axes[DEPTH])
    if len(ordered) > 1:
      first, last = ordered[0], ordered[-1]
      train, test = (
        statistics.paired(aggregate.by_seed(first, m), aggregate.by_seed(last, m), level)
        for m in (f"train_{kind}", metric)
      )
      if train.n or test.n:
        changes.append(
          DepthChange(setting, first.axes[DEPTH], last.axes[DEPTH], train, test, None, None)
        )
  ps = statistics.holm([p for one in changes for p in (one.train.p, one.test.p)])
  return [one._replace(train_p=ps[2 * i], test_p=ps[2 * i + 1]) for i, one in enumerate(changes)]


def say_depth_changes(changes: Sequence[DepthChange], metric: str, level: float) -> list[str]:
  """A sentence for each, and what their p are where there are some."""
  sentences = [_say_depth_change(one, metric, level) for one in changes]
  if any(p is not None for one in changes for p in (one.train_p, one.test_p)):
    sentences.append(
      "Changes with depth are paired on common seeds; their p are corrected for each other (Holm)."
    )
  return sentences


def _say_depth_change(one: DepthChange, metric: str, level: float) -> str:
  """ "shortcut=none: from depth 20 to 56 the train error rises by ..., the test error by ..."."""
  kind = metric.rpartition("_")[2]
  parts = []
  for name, difference, p in (
    (f"train_{kind}", one.train, one.train_p), (metric, one.test, one.test_p),
  ):  # fmt: skip
    parts.append(_rise(name, difference, p, level))
  begin = f"{one.setting}: f" if one.setting else "F"
  text = f"{begin}rom depth {one.shallow} to {one.deep} {words.listed([p for p in parts if p])}"
  if max(one.train.n, one.test.n) == 1:
    text += "; one common seed, so no verdict"
  return f"{text}."


def _rise(metric: str, difference: Difference, p: float | None, level: float) -> str:
  """ "the train error rises by 1.20 points (95 % interval 0.80 to 1.60, n = 5, p = 0.004)"."""
  if difference.mean is None:
    return ""
  share = aggregate.is_share(metric)
  sign = -1 if share else 1  # an error is 100 % - accuracy
  rise = sign * difference.mean
  low, high = difference.low, difference.high
  if low is not None and high is not None and share:
    difference = difference._replace(low=-high, high=-low)
  verb = "is the same" if rise == 0 else "rises by" if rise > 0 else "falls by"
  by = "" if rise == 0 else f" {words.number(abs(rise), share)}{' points' if share else ''}"
  name = words.error_name(metric).replace("top-1 ", "")
  told = []
  if low is not None:
    bounds = words.signed_interval(difference, share)
    told.append(f"{100 * level:.0f} % interval of the change {bounds}")
  told.append(f"n = {difference.n}")
  if p is not None:
    told.append(words.equals(p) + ("" if p <= 1 - level else ": not separable"))
  return f"the {name} {verb}{by} ({', '.join(told)})"


def _effect(one: Compared, share: bool, level: float) -> str:
  """ "+1.20 points (95 % interval +0.80 to +1.60, n = 5 pairs, p = 0.004)"."""
  difference = one.difference
  assert difference is not None
  parts = []
  if difference.low is not None:
    parts.append(f"{100 * level:.0f} % interval {words.signed_interval(difference, share)}")
  parts.append(f"n = {words.counted(difference.n, 'pair')}")
  if one.p is not None:
    parts.append(words.equals(one.p))
  return f"{words.change(difference.mean, share)} ({', '.join(parts)})"


def _difference(better, worse, found, labels, name, metric, largest, effect) -> str:
  """The sentence's beginning where something was found."""
  known = words.improves(metric)
  up, down = ("better", "worse") if known else ("higher", "lower")
  if len(found) == 2:
    return f"{labels[1]} is {up if better else down} than {labels[0]} in {name}: {effect}"
  counts = [
    f"{len(some)} {'is' if len(some) == 1 else 'are'} {word}"
    for some, word in ((better, up), (worse, down))
    if some
  ]
  return (
    f"In {name}, of {len(found) - 1} variants {words.listed(counts)} than {labels[0]} (corrected "
    f"for all comparisons); the largest difference is that of {labels[largest]}: {effect}"
  )


def _no_difference(found, labels, name, largest, effect, share, limit, untested) -> str:
  """The sentence's beginning where nothing was found, with what could have been."""
  if len(found) == 2:
    said = f"{labels[1]} and {labels[0]} are not separable in {name}: {effect}"
  else:
    which = "the largest difference that can be tested" if untested else "the largest difference"
    said = (
      f"None of {len(found) - 1} variants is separable from {labels[0]} in {name} (corrected for "
      f"all comparisons); {which} is that of {labels[largest]}: {effect}"
    )
  difference = found[largest].difference
  if difference.low is not None and difference.low * difference.high > 0:
    said += "; that interval excludes 0 by itself, which among so many comparisons is no evidence"
  if limit is not None:
    finds = (
      "no difference that could be is" if share and limit >= 1 else
      f"only a true difference of {words.change(limit, share).lstrip('+')} or more is"
    )  # fmt: skip
    said += f"; underpowered: with {difference.n} pairs of this spread {finds} found 4 times in 5"
  return said


def _untested(found, labels, name, share, metric, pairs, lost) -> Verdict:
  """No comparison could be tested: one seed, no common seeds, or no spread."""
  rest = list(range(1, len(found)))
  best = max(
    (i for i, one in enumerate(found) if one.summary),
    key=lambda i: (words.improves(metric) or 1) * found[i].summary.mean,
  )
  mean = words.level(found[best].summary.mean, share)
  differences = [(found[i].difference, i) for i in pairs if found[i].difference.n > 1]
  if differences:
    difference, one = max(differences, key=lambda pair: abs(pair[0].mean))
    said = (
      f"{labels[one]} differs from {labels[0]} in {name} by "
      f"{words.change(difference.mean, share)} on each of {difference.n} common seeds; a spread "
      "of zero allows no interval and no test"
    )
    if not difference.mean:
      said = f"All variants equal {labels[0]} in {name} on each common seed, to the last digit"
    return _verdict("untested", f"{said}{lost}.", rest)
  if pairs and max(len(one.values) for one in found) == 1:
    said = (
      f"One seed (n = 1) gives no verdict: {labels[best]} has the "
      f"{'lowest' if words.improves(metric) < 0 else 'highest'} {name}, {mean}, and whether it "
      "would with another seed is not known"
    )
    return _verdict("seed", f"{said}{lost}.", rest)
  if pairs:
    said = f"No variant has two seeds in common with {labels[0]}: no verdict on {name}"
  else:
    said = f"No variant shares a finished seed with {labels[0]}: no verdict on {name}"
  return _verdict("untested", f"{said}{lost}.", rest)


def _alone(one: Compared, name: str, share: bool) -> str:
  summary = one.summary
  assert summary is not None
  said = f"{name[0].upper()}{name[1:]} is {words.level(summary.mean, share)}"
  if summary.low is not None:
    bounds = words.interval(summary.low, summary.high, share)
    return f"{said} ({100 * summary.level:.0f} % interval {bounds}, n = {summary.n} seeds)"
  return f"{said} (n = {summary.n}{', so its spread is unknown' if summary.n == 1 else ''})"


def _lost(groups: Sequence[Group]) -> str:
  """ "; 2 runs diverged and 1 failed, and are in no mean" or ""."""
  counts = {s: sum(aggregate.count(one, s) for one in groups) for s in STATES}
  ended = [f"{words.counted(counts[s], 'run')} {s}" for s in ("diverged", "failed") if counts[s]]
  left = counts["running"] + counts["interrupted"] + counts["waiting"]
  one = sum(counts[s] for s in ("diverged", "failed")) == 1
  text = f"; {words.listed(ended)} and {'counts' if one else 'count'} in no mean" if ended else ""
  if left:
    text += f"; {words.counted(left, 'run')} not finished"
  return text


def _count(n: int, of: int) -> str:
  """ "1 of 5 variants is", "all 5 variants are"."""
  if n == of:
    return f"all {of} variants are" if of > 1 else "the variant is"
  return f"{n} of {of} variants {'is' if n == 1 else 'are'}"


def _verdict(kind: str, sentence: str, untested: list[int] | None = None) -> Verdict:
  return Verdict(kind, sentence, [], [], [], untested or [], None)


def _mean(one: Compared) -> float:
  assert one.difference is not None
  assert one.difference.mean is not None
  return one.difference.mean


def _p(one: Compared) -> float:
  assert one.p is not None
  return one.p
