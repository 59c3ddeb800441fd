"""A sentence that is told of nets, and what decides it."""

from collections.abc import Callable
from typing import Literal, NamedTuple

Numbers = tuple[int, ...]


class Claim(NamedTuple):
  """A sentence, with the numbers that its verdict rests on."""

  sentence: str
  usual: str  # the number that it is told with
  compute: Callable[[], Numbers]  # ours, from traced nets
  expected: Numbers  # what it must give, for the verdict to be right
  say: Callable[..., str]  # puts the numbers in words
  verdict: Literal["holds", "imprecise", "wrong", "not found in the paper"]
  note: str  # with the source


class Row(NamedTuple):
  """A claim, decided."""

  sentence: str
  usual: str
  ours: str
  verdict: str  # "changed: ..." when the numbers are not those that the verdict rests on
  note: str


def check(claim: Claim) -> Row:
  """Computes the numbers of a claim, and compares them with those that are expected."""
  numbers = claim.compute()
  verdict: str = claim.verdict
  if numbers != claim.expected:
    verdict = f"changed: expected {claim.say(*claim.expected)}"
  return Row(claim.sentence, claim.usual, claim.say(*numbers), verdict, claim.note)


def changed(row: Row) -> bool:
  """Whether the numbers are not those that the verdict rests on."""
  return row.verdict.startswith("changed")
