"""What is told of residual networks and their plain controls."""

from jaxnets.claims import phrases
from jaxnets.claims.claim import Claim
from jaxnets.claims.counts import depth, layers, macs, params
from jaxnets.claims.papers import RESNET

CLAIMS = (
  Claim(
    "The number in a ResNet's name counts its layers with weights",
    "18, 34, 50, 101, 152",
    lambda: tuple(depth(f"resnet{d}") for d in (18, 34, 50, 101, 152)),
    (18, 34, 50, 101, 152),
    phrases.listed,
    "holds",
    f"On the longest way: 50 = 1 + 3*16 + 1, projections beside it; {RESNET}, table 1",
  ),
  Claim(
    "ResNet-50 has 3.8 GFLOPs",
    "3.8 billion",
    lambda: (macs("resnet50_v1"), macs("resnet50")),
    (3_857_973_248, 4_089_184_256),
    lambda one, half: f"{one:,} MACs (v1), {half:,} (v1.5)",
    "imprecise",
    f"{RESNET}, table 1, counts multiply-adds of v1; most code has v1.5. FLOPs are twice the MACs",
  ),
  Claim(
    "ResNet-152 is cheaper than VGG-16 and VGG-19",
    "11.3 against 15.3 and 19.6 billion",
    lambda: (macs("resnet152_v1"), macs("resnet152"), macs("vgg16"), macs("vgg19")),
    (11_282_415_616, 11_513_626_624, 15_470_264_320, 19_632_062_464),
    lambda v1, v15, d, e: f"{v1:,} MACs (v1), {v15:,} (v1.5) against {d:,} and {e:,}",
    "holds",
    f"{RESNET}, section 4.1; its 15.3 are VGG-16's convolutions alone",
  ),
  Claim(
    "Plain-34 has only 18 % of VGG-19's multiply-adds",
    "18 %",
    lambda: (macs("plain34"), macs("vgg19")),
    (3_644_493_824, 19_632_062_464),
    phrases.share,
    "holds",
    f"{RESNET}, section 3.3: 3.6 of 19.6 billion",
  ),
  Claim(
    "A ResNet is VGG-19 with shortcuts",
    "19 layers",
    lambda: (depth("vgg19"), depth("plain34")),
    (19, 34),
    lambda vgg, plain: f"VGG-19 has {vgg} layers, the plain net that gets the shortcuts {plain}",
    "imprecise",
    f"{RESNET}, figure 3",
  ),
  Claim(
    "ResNets have mostly 3x3 convolutions (ResNet-34; ResNet-50)",
    "mostly",
    lambda: tuple(
      len(layers(name, op)) for name in ("resnet34", "resnet50") for op in ("conv 3x3", "conv")
    ),
    (32, 36, 16, 53),
    phrases.shares,
    "imprecise",
    f"{RESNET}, section 3.3, of basic units; in bottleneck units two of three are 1x1",
  ),
  Claim(
    "Bottleneck units cost about as much as basic ones (ResNet-50 v1, ResNet-34)",
    "3.8 and 3.6 billion",
    lambda: (macs("resnet50_v1"), macs("resnet34")),
    (3_857_973_248, 3_663_761_408),
    phrases.times,
    "holds",
    f"{RESNET}, figure 5 and table 1; MACs",
  ),
  Claim(
    "A plain net has the parameters of its ResNet (CIFAR, 56 layers; ImageNet, 34)",
    "the same",
    lambda: tuple(
      params(name) for name in ("cifar_plain56", "cifar_resnet56", "plain34", "resnet34_a")
    ),
    (853_018, 853_018, 21_623_848, 21_623_848),
    phrases.listed,
    "holds",
    f"{RESNET}, section 3.3, with option-A shortcuts; with option B ResNet-34 has 173,824 more",
  ),
  Claim(
    "A CIFAR ResNet with n units in each of its three stages has 6n+2 layers (n = 3, 5, 7, 9)",
    "20, 32, 44, 56",
    lambda: tuple(depth("cifar_resnet20", units=(n, n, n)) for n in (3, 5, 7, 9)),
    (20, 32, 44, 56),
    phrases.listed,
    "holds",
    f"{RESNET}, section 4.2; option-A shortcuts have no weights",
  ),
  Claim(
    "CIFAR ResNets have less than two million parameters (20, 32, 44, 56, 110 layers)",
    "0.27, 0.46, 0.66, 0.85, 1.7 million",
    lambda: tuple(params(f"cifar_resnet{depth}") for depth in (20, 32, 44, 56, 110)),
    (269_722, 464_154, 658_586, 853_018, 1_727_962),
    phrases.listed,
    "holds",
    f"{RESNET}, table 6",
  ),
  Claim(
    "ResNeXt-50 32x4d has the parameters and the cost of ResNet-50",
    "25.0 and 25.5 million, 4.2 and 4.1 billion",
    lambda: tuple(f(net) for f in (params, macs) for net in ("resnext50_32x4d", "resnet50")),
    (25_028_904, 25_557_032, 4_230_479_872, 4_089_184_256),
    phrases.listed,
    "holds",
    "Xie et al. 2016, table 1; parameters, then MACs",
  ),
)
