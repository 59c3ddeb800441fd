"""A cell of a paper's table beside our value, and the rule that compares the two."""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from jaxnets.cost.ledger import measures
from jaxnets.cost.ledger.measures import Measure, Value

# What a printed number counts in.
UNITS = {
  "": 1,
  "%": 1,
  "K": 1000,
  "Ki": 1024,
  "M": 10**6,
  "million": 10**6,
  "G": 10**9,
  "billion": 10**9,
}
NUMBER = re.compile(r"([\d,]*\.?\d+)(?:(?:e|x10\^)(-?\d+))?\s?(K|M|G|million|billion|%)?")

EQUAL, DIFFERS, UNEXPLAINED = "equal", "differs", "UNEXPLAINED"


class Row(NamedTuple):
  """One cell of a paper's table, or of another public account of the net."""

  net: str  # a name of `nets.VARIANTS`
  source: str  # the document, and the place in it
  cell: str  # what it says, in words; "net.AXIS" for what is an axis of the net
  paper: str  # the value as it is printed there
  ours: Measure
  unit: str = ""  # of UNITS, where the text does not say it or means another one
  found: str = ""  # our value where it is another, in the manner of the paper's
  because: str = ""  # why it is another


class Entry(NamedTuple):
  """A row with our value and the verdict."""

  net: str
  source: str
  cell: str
  paper: str
  ours: Value
  status: str  # equal, differs or UNEXPLAINED
  because: str


def check(rows: Iterable[Row]) -> list[Entry]:
  """Our value of every row, and whether it is the paper's. Each net is traced once at most.

  A number is equal when the paper's text is a rounding of it, text when it is the same. A
  difference is explained by a reason and the value that the reason is about: one without a reason,
  one of another value, and a reason where nothing differs are unexplained.

  Raises:
    ValueError: a number of ours against text without one.
  """
  return [_entry(row) for row in rows]


def _entry(row: Row) -> Entry:
  ours, status, because = row.ours(row.net), UNEXPLAINED, row.because
  if _same(row.paper, ours, row.unit):
    status = UNEXPLAINED if because else EQUAL
    because = f"nothing differs, so this is no reason: {because}" if because else ""
  elif because and _same(row.found, ours, row.unit):
    status = DIFFERS
  elif because:
    because = f"this is no reason for another value than {row.found}: {because}"
  return Entry(row.net, row.source, row.cell, row.paper, ours, status, because)


def _same(text: str, ours: Value, unit: str) -> bool:
  if isinstance(ours, str):
    return ours == text
  low, high = interval(text, unit)
  return low <= ours <= high


def interval(text: str, unit: str = "") -> tuple[Fraction, Fraction]:
  """The least and the largest number that the printed one may be a rounding of.

      interval("0.27M")       # 265,000 to 275,000
      interval("159K", "Ki")  # 162,304 to 163,328

  Halves may be rounded either way: both ends belong to it.

  Args:
    text: as printed: "253,440", "159K", "3.8x10^9", "60 million", "81%".
    unit: a key of UNITS that goes before what the text itself says.

  Raises:
    ValueError: the text is no number.
  """
  match = NUMBER.fullmatch(text)
  if match is None:
    raise ValueError(f"{text!r} is no number, and ours is one")
  digits, exponent, suffix = match.groups()
  digits = digits.replace(",", "")
  scale = Fraction(10) ** int(exponent or 0) * UNITS[unit or suffix or ""]
  half = Fraction(1, 2 * 10 ** len(digits.partition(".")[2]))
  return (Fraction(digits) - half) * scale, (Fraction(digits) + half) * scale


def torchvision(net: str, weights: str, params: str = "", gigaops: str = "") -> list[Row]:
  """What torchvision publishes of a net, beside its weights.

  Args:
    net: ours.
    weights: name of torchvision's enumeration of weights.
    params: its "num_params"; empty where they are of another net.
    gigaops: its "_ops": multiply-adds, in 10^9; empty likewise.
  """
  source = f"torchvision, {weights}.IMAGENET1K_V1"
  cells = (
    Row(net, source, "num_params", params, measures.total),
    Row(net, source, "_ops, in 10^9", gigaops, measures.macs, "G"),
  )
  return [row for row in cells if row.paper]
