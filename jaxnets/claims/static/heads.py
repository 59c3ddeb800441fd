"""What fully connected layers hold, and what is left without them."""

from jaxnets.claims import phrases
from jaxnets.claims.claim import Claim
from jaxnets.claims.counts import macs, macs_in, params, params_in
from jaxnets.claims.papers import ALEXNET, GOOGLENET, RESNET, VGG

CLAIMS = (
  Claim(
    "Fully connected layers hold about 90 % of AlexNet's parameters",
    "about 90 %",
    lambda: (params_in("alexnet", "dense"), params("alexnet")),
    (58_631_144, 60_965_224),
    phrases.share,
    "imprecise",
    f"{ALEXNET}, two groups; 90 % is nearer to VGG-16",
  ),
  Claim(
    "Fully connected layers hold about 90 % of AlexNet's parameters in its one-tower form",
    "about 90 %",
    lambda: (params_in("alexnet_owt", "dense"), params("alexnet_owt")),
    (58_631_144, 61_100_840),
    phrases.share,
    "imprecise",
    "Krizhevsky 2014 (1404.5997), the form that most libraries have",
  ),
  Claim(
    "Fully connected layers hold 90 % of VGG-16's parameters",
    "about 90 %",
    lambda: (params_in("vgg16", "dense"), params("vgg16")),
    (123_642_856, 138_357_544),
    phrases.share,
    "holds",
    f"{VGG}, configuration D",
  ),
  Claim(
    "Nearly all arithmetic is in the convolutions (AlexNet; VGG-16)",
    "over 90 %",
    lambda: (
      macs_in("alexnet", "conv"), macs("alexnet"), macs_in("vgg16", "conv"), macs("vgg16"),
    ),
    (665_784_864, 724_406_816, 15_346_630_656, 15_470_264_320),
    phrases.shares,
    "holds",
    "MACs of convolutions and matrix products; nothing else counts",
  ),
  Claim(
    "With global average pooling no fully connected layer is left (GoogLeNet; ResNet-50)",
    "none",
    lambda: (
      params_in("googlenet", "dense"), params("googlenet"),
      params_in("resnet50", "dense"), params("resnet50"),
    ),
    (1_025_000, 6_998_552, 2_049_000, 25_557_032),
    phrases.shares,
    "imprecise",
    f"One linear layer is; {GOOGLENET}, section 5, {RESNET}, section 3.3",
  ),
  Claim(
    "Global average pooling in place of its hidden layers would rid VGG-16 of most parameters",
    "most",
    lambda: (params("vgg16"), params("vgg16", head="gap")),
    (138_357_544, 15_227_688),
    phrases.falls,
    "holds",
    "net.head=gap",
  ),
  Claim(
    "VGG's hidden layers on GoogLeNet would be nearly all of it",
    "most",
    lambda: (params("googlenet", head="fc"), params("googlenet")),
    (232_376_856, 6_998_552),
    phrases.falls,
    "holds",
    "net.head=fc, two layers of 4096 on a map of 7x7x1024",
  ),
)  # fmt: skip
