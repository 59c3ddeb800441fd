"""Exact numbers in words."""


def listed(*numbers: int) -> str:
  """One after the other."""
  return ", ".join(f"{number:,}" for number in numbers)


def share(part: int, whole: int) -> str:
  """A part of a whole, in percent."""
  return f"{part:,} of {whole:,} = {part / whole:.2%}"


def shares(*numbers: int) -> str:
  """Pairs of a part and its whole."""
  return "; ".join(map(share, numbers[::2], numbers[1::2]))


def times(more: int, less: int) -> str:
  """How many times one is the other."""
  return f"{more:,} / {less:,} = {more / less:.2f}"


def both_times(*numbers: int) -> str:
  """Pairs of which one is several times the other."""
  return "; ".join(map(times, numbers[::2], numbers[1::2]))


def falls(before: int, after: int) -> str:
  """A change, in percent."""
  return f"{before:,} to {after:,}: {after / before - 1:+.1%}"
