"""What a function costs, exact, from its traced program."""

from jaxnets.cost.count import Cost, count_macs, of, of_program, sums
from jaxnets.cost.layers import Layer
from jaxnets.cost.matching import Match, cost_of, match

__all__ = [
  "Cost",
  "Layer",
  "Match",
  "cost_of",
  "count_macs",
  "match",
  "of",
  "of_program",
  "sums",
]
