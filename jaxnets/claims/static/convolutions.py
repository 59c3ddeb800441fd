"""What a convolution sees, weighs and costs."""

from jaxnets.claims import phrases
from jaxnets.claims.claim import Claim
from jaxnets.claims.counts import macs_at, macs_in, stack
from jaxnets.claims.papers import INCEPTION_V3, VGG

CLAIMS = (
  Claim(
    "Three 3x3 convolutions see as much as one 7x7, and two as much as one 5x5",
    "7 and 5",
    lambda: (stack(3, 3, 3)[0], stack(3, 3)[0]),
    (7, 5),
    phrases.listed,
    "holds",
    f"{VGG}, section 2.3",
  ),
  Claim(
    "One 7x7 convolution has 81 % more weights than three 3x3",
    "49 C^2 against 27 C^2",
    lambda: (stack(7)[1], stack(3, 3, 3)[1]),
    (49, 27),
    phrases.times,
    "holds",
    f"{VGG}, section 2.3",
  ),
  Claim(
    "Two 3x3 convolutions have 28 % fewer weights than one 5x5",
    "18 C^2 against 25 C^2",
    lambda: (stack(5)[1], stack(3, 3)[1]),
    (25, 18),
    phrases.falls,
    "holds",
    f"{INCEPTION_V3}, section 3.1",
  ),
  Claim(
    "A 3x3 convolution of 512 to 512 channels costs 9*512*512 multiply-adds per location",
    "in the order of 9*512*512",
    lambda: (
      macs_at("vgg16", "stage4/conv2"),
      macs_in("vgg16", inside="stage4/conv2"),
      macs_in("vgg16", inside="stage5/conv2"),
    ),
    (2_359_296, 1_849_688_064, 462_422_016),
    lambda one, large, small: f"{one:,}; at 28x28 {large:,}, at 14x14 {small:,}",
    "holds",
    "In VGG-16, stages 4 and 5",
  ),
)
