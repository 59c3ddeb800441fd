"""What a function costs, exact, from its traced program."""

from jaxnets.cost.macs import count_macs

__all__ = ["count_macs"]
