"""What a function costs, exact, from its traced program."""

from jaxnets.cost.count import Cost, count_macs, of, of_program, sums
from jaxnets.cost.layers import Layer

__all__ = ["Cost", "Layer", "count_macs", "of", "of_program", "sums"]
