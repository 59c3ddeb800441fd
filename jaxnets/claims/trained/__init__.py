"""The sentences that training or measuring decides, by the architecture that they are told of."""

from jaxnets.claims.study import Claim
from jaxnets.claims.trained import (
  alexnet,
  features,
  googlenet,
  identity,
  resnet,
  signals,
  sparsity,
  speed,
  vgg,
)

FAMILIES = (features, alexnet, vgg, googlenet, resnet, identity, signals, sparsity, speed)


def _in_order() -> dict[str, Claim]:
  every = [claim for family in FAMILIES for claim in family.CLAIMS]
  return {claim.id: claim for claim in sorted(every, key=lambda claim: int(claim.id[1:]))}


CLAIMS = _in_order()
