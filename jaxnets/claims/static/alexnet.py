"""What is told of AlexNet."""

from jaxnets.claims import phrases
from jaxnets.claims.claim import Claim
from jaxnets.claims.counts import counted, depth, dropouts, layers, operations, params, side_of
from jaxnets.claims.papers import ALEXNET

CLAIMS = (
  Claim(
    "AlexNet has 60 million parameters and 650,000 neurons",
    "60 million, 650,000",
    lambda: (params("alexnet"), counted("alexnet").activations),
    (60_965_224, 659_272),
    phrases.listed,
    "holds",
    f"{ALEXNET}, abstract; outputs of convolutions and fully connected layers",
  ),
  Claim(
    "AlexNet has 62,378,344 parameters",
    "62,378,344",
    lambda: (params("alexnet_ungrouped"), params("alexnet")),
    (62_378_344, 60_965_224),
    lambda one, two: f"{one:,} without, {two:,} with its two groups",
    "not found in the paper",
    f"{ALEXNET} says 60 million",
  ),
  Claim(
    "AlexNet's first convolution gives 253,440 values",
    "253,440",
    lambda: (layers("alexnet", inside="conv1")[0].activations,),
    (290_400,),
    phrases.listed,
    "wrong",
    f"{ALEXNET}, figure 2; 55*55*96 as in section 3.5",
  ),
  Claim(
    "AlexNet takes images of 224 px to maps of 55x55",
    "224 to 55",
    lambda: (side_of("alexnet", "conv1", image_size=224), side_of("alexnet", "conv1")),
    (54, 55),
    lambda small, own: f"224 px to {small}x{small}, 227 px to {own}x{own}",
    "wrong",
    f"{ALEXNET}, figure 2; 11x11 windows, stride 4, no padding",
  ),
  Claim(
    "In AlexNet a ReLU follows every convolution and fully connected layer",
    "every",
    lambda: (operations("alexnet", "max"), depth("alexnet")),
    (7, 8),
    lambda some, every: f"{some} of {every}",
    "imprecise",
    f"{ALEXNET}, section 3.5, says so; the last layer feeds the softmax",
  ),
  Claim(
    "In AlexNet dropout follows every fully connected layer",
    "every",
    lambda: (dropouts("alexnet"), len(layers("alexnet", "dense"))),
    (2, 3),
    lambda some, every: f"{some} of {every}",
    "wrong",
    f"{ALEXNET}, section 4.2: the first two",
  ),
)
