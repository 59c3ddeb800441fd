"""A sentence that is told of nets, and what decides it: counting, or a paper's own table."""

from collections.abc import Callable
from typing import Literal, NamedTuple

Numbers = tuple[int, ...]
Word = Literal["holds", "imprecise", "wrong", "not found in the paper"]


class Claim(NamedTuple):
  """A sentence, with the numbers that its verdict rests on."""

  sentence: str
  usual: str  # the number that it is told with
  compute: Callable[[], Numbers]  # ours, from traced nets
  expected: Numbers  # what it must give, for the verdict to be right
  say: Callable[..., str]  # puts the numbers in words
  verdict: Word
  note: str  # with the source


class Quoted(NamedTuple):
  """A sentence that no counting decides, and what the papers print for it."""

  sentence: str
  usual: str  # the number that it is told with
  printed: str  # what stands there, with the protocol of each number
  verdict: Word
  note: str  # where it stands


class Row(NamedTuple):
  """A claim, decided."""

  sentence: str
  usual: str
  found: str  # counted from traced nets, or printed in the papers
  by: Literal["counted", "printed"]
  verdict: str  # "changed: ..." when the numbers are not those that the verdict rests on
  note: str


def check(claim: Claim) -> Row:
  """Computes the numbers of a claim, and compares them with those that are expected."""
  numbers = claim.compute()
  row = told(claim)._replace(found=claim.say(*numbers))
  if numbers != claim.expected:
    return row._replace(verdict=f"changed: expected {claim.say(*claim.expected)}")
  return row


def told(claim: Claim | Quoted) -> Row:
  """The row of a claim as it stands, with nothing computed."""
  if isinstance(claim, Quoted):
    return Row(claim.sentence, claim.usual, claim.printed, "printed", claim.verdict, claim.note)
  found = claim.say(*claim.expected)
  return Row(claim.sentence, claim.usual, found, "counted", claim.verdict, claim.note)


def changed(row: Row) -> bool:
  """Whether the numbers are not those that the verdict rests on."""
  return row.verdict.startswith("changed")
