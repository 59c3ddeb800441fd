"""What is told of VGG."""

from jaxnets.claims import phrases
from jaxnets.claims.claim import Claim
from jaxnets.claims.counts import layers, params
from jaxnets.claims.papers import INCEPTION_V3, VGG

CLAIMS = (
  Claim(
    "VGG's width starts at 64 and doubles after every pooling",
    "64, 128, 256, 512, 1024",
    lambda: tuple(layers("vgg16", inside=f"stage{s}")[0].shape[-1] for s in range(1, 6)),
    (64, 128, 256, 512, 512),
    phrases.listed,
    "imprecise",
    f"{VGG}, section 2.1: until it reaches 512",
  ),
  Claim(
    "VGG has 133 to 144 million parameters (A, B, C, D, E)",
    "133, 133, 134, 138, 144 million",
    lambda: tuple(params(name) for name in ("vgg11", "vgg13", "vgg16_c", "vgg16", "vgg19")),
    (132_863_336, 133_047_848, 133_638_952, 138_357_544, 143_667_240),
    phrases.listed,
    "holds",
    f"{VGG}, table 2",
  ),
  Claim(
    "VGG has about three times as many parameters as AlexNet",
    "3 times",
    lambda: (params("vgg16"), params("alexnet")),
    (138_357_544, 60_965_224),
    phrases.times,
    "wrong",
    f"{INCEPTION_V3}, section 1; of VGG-16",
  ),
)
