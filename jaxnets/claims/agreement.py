"""Whether two sizes of a study put its arms in the same order. No JAX here."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnets.claims import ledger, verdicts
from jaxnets.claims.judge import Verdict
from jaxnets.claims.study import SIZES, Size


class Agreement(NamedTuple):
  """The order of arms in a measure at two sizes."""

  claim: str
  sizes: tuple[Size, Size]
  words: tuple[str, str]  # the verdicts
  measure: str  # "" where the sizes have no pair of arms in common
  pairs: int  # of arms that both sizes have, with means that differ at both
  same: int  # of them in the same order

  @property
  def tau(self) -> float:
    """Kendall's rank correlation: 1 for one order, -1 for the reverse."""
    return (2 * self.same - self.pairs) / self.pairs


def of_folders(
  workdirs: Sequence[Path], size: Size, found: Mapping[str, Verdict]
) -> Iterator[Agreement]:
  """The agreement of verdicts at a size with those of every other size, all its seeds."""
  for workdir in workdirs:
    for other in SIZES:
      if other != size and ledger.holds(workdir, other):
        yield from between((size, found), (other, verdicts.read(workdir, other).verdicts))


def between(
  first: tuple[Size, Mapping[str, Verdict]], second: tuple[Size, Mapping[str, Verdict]]
) -> Iterator[Agreement]:
  """The agreement of the claims that both sizes have, in every measure of the arms they share."""
  for claim in first[1].keys() & second[1].keys():
    one, two = first[1][claim], second[1][claim]
    sizes: tuple[Size, Size] = (first[0], second[0])
    words, are_comparable = (one.word, two.word), False
    theirs = {_kind(measure): arms for measure, arms in two.values.items()}
    for measure, arms in one.values.items():
      means, others = _means(arms), _means(theirs.get(_kind(measure), {}))
      gaps = [
        (means[b] - means[a], others[b] - others[a])
        for a, b in itertools.combinations([arm for arm in means if arm in others], 2)
      ]
      signs = [left * right > 0 for left, right in gaps if left and right]
      if signs:
        are_comparable = True
        yield Agreement(claim, sizes, words, measure, len(signs), sum(signs))
    if not are_comparable:
      yield Agreement(claim, sizes, words, "", 0, 0)


def say(one: Agreement) -> str:
  """ "cpu: supported, laptop: refuted; test error: 2 of 3 pairs of arms in the same order"."""
  words = ", ".join(f"{size}: {word}" for size, word in zip(one.sizes, one.words, strict=True))
  if not one.pairs:
    return f"{words}; no pair of arms to compare"
  return (
    f"{words}; {one.measure}: {one.same} of {one.pairs} pairs of arms in the same order, Kendall's "
    f"tau {one.tau:+.2f}"
  )


def _kind(measure: str) -> str:
  """A measure's name without its numbers: sizes differ in the error to get to."""
  return re.sub(r"[\d.]+", "#", measure)


def _means(arms: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
  return {arm: sum(values.values()) / len(values) for arm, values in arms.items() if values}
