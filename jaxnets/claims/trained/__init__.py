"""The sentences that training decides, by the architecture that they are told of."""

from jaxnets.claims.study import Claim
from jaxnets.claims.trained import alexnet, googlenet, resnet, signals, vgg


def _in_order() -> dict[str, Claim]:
  every = [*alexnet.CLAIMS, *vgg.CLAIMS, *googlenet.CLAIMS, *resnet.CLAIMS, *signals.CLAIMS]
  return {claim.id: claim for claim in sorted(every, key=lambda claim: int(claim.id[1:]))}


CLAIMS = _in_order()
