"""What every family's table is made of."""

from typing import Any, NamedTuple

Fields = dict[str, Any]

ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "swish", "identity")
NORMS = ("batch", "group", "none")
POOLINGS = ("max", "average")
HEADS = ("gap", "fc")
STEMS = ("imagenet", "small")


class Variant(NamedTuple):
  """A published net: its family, what differs from the family's defaults, and what it eats."""

  family: str
  fields: Fields
  image_size: int = 224
  classes: int = 1000
  paper: str = ""
