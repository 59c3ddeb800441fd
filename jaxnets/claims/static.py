"""What is told of these nets and is decided by counting: sentences with the exact numbers.

A verdict is of the sentence as it is usually told. It "holds" when it is true to the digits told,
give or take one in the last; is "imprecise" when it is true under a condition that the note tells,
or within a tenth; and else "wrong". "not found in the paper" is a number told as a paper's that is
not there.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from jaxnets.claims import counts
from jaxnets.claims.counts import (
  channels_of,
  counted,
  depth,
  dropouts,
  layers,
  macs,
  macs_at,
  macs_in,
  operations,
  params,
  params_in,
  side_of,
  stack,
)

ALEXNET = "Krizhevsky et al. 2012"
VGG = "Simonyan and Zisserman 2014"
GOOGLENET = "Szegedy et al. 2014"
INCEPTION_V3 = "Szegedy et al. 2015"
RESNET = "He et al. 2015"

Numbers = tuple[int, ...]


class Claim(NamedTuple):
  """A sentence that is told, and what decides it."""

  sentence: str
  usual: str  # the number that it is told with
  compute: Callable[[], Numbers]  # ours, from traced nets
  expected: Numbers  # what it must give, for the verdict to be right
  say: Callable[..., str]  # puts the numbers in words
  verdict: Literal["holds", "imprecise", "wrong", "not found in the paper"]
  note: str  # with the source


class Row(NamedTuple):
  """A claim, decided."""

  sentence: str
  usual: str
  ours: str
  verdict: str  # "changed: ..." when the numbers are not those that the verdict rests on
  note: str


def check(claim: Claim) -> Row:
  """Computes the numbers of a claim."""
  numbers = claim.compute()
  verdict = claim.verdict if numbers == claim.expected else f"changed: was {claim.expected}"
  return Row(claim.sentence, claim.usual, claim.say(*numbers), verdict, claim.note)


def changed(row: Row) -> bool:
  """Whether the numbers are not those that the verdict rests on."""
  return row.verdict.startswith("changed")


def _listed(*numbers: int) -> str:
  return ", ".join(f"{number:,}" for number in numbers)


def _share(part: int, whole: int) -> str:
  return f"{part:,} of {whole:,} = {part / whole:.2%}"


def _shares(*numbers: int) -> str:
  return "; ".join(map(_share, numbers[::2], numbers[1::2]))


def _times(more: int, less: int) -> str:
  return f"{more:,} / {less:,} = {more / less:.2f}"


def _both_times(*numbers: int) -> str:
  return "; ".join(map(_times, numbers[::2], numbers[1::2]))


def _falls(before: int, after: int) -> str:
  return f"{before:,} to {after:,}: {after / before - 1:+.1%}"


KERNELS = (
  Claim(
    "Three 3x3 convolutions see as much as one 7x7, and two as much as one 5x5",
    "7 and 5",
    lambda: (stack(3, 3, 3)[0], stack(3, 3)[0]),
    (7, 5),
    _listed,
    "holds",
    f"{VGG}, section 2.3",
  ),
  Claim(
    "One 7x7 convolution has 81 % more weights than three 3x3",
    "49 C^2 against 27 C^2",
    lambda: (stack(7)[1], stack(3, 3, 3)[1]),
    (49, 27),
    _times,
    "holds",
    f"{VGG}, section 2.3",
  ),
  Claim(
    "Two 3x3 convolutions have 28 % fewer weights than one 5x5",
    "18 C^2 against 25 C^2",
    lambda: (stack(5)[1], stack(3, 3)[1]),
    (25, 18),
    _falls,
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

SHARES = (
  Claim(
    "Fully connected layers hold about 90 % of AlexNet's parameters",
    "about 90 %",
    lambda: (params_in("alexnet", "dense"), params("alexnet")),
    (58_631_144, 60_965_224),
    _share,
    "imprecise",
    f"{ALEXNET}, two groups; 90 % is nearer to VGG-16",
  ),
  Claim(
    "The same is told of AlexNet in one tower, the form that libraries have",
    "about 90 %",
    lambda: (params_in("alexnet_owt", "dense"), params("alexnet_owt")),
    (58_631_144, 61_100_840),
    _share,
    "imprecise",
    "Krizhevsky 2014 (1404.5997)",
  ),
  Claim(
    "Fully connected layers hold 90 % of VGG-16's parameters",
    "about 90 %",
    lambda: (params_in("vgg16", "dense"), params("vgg16")),
    (123_642_856, 138_357_544),
    _share,
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
    _shares,
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
    _shares,
    "imprecise",
    f"One linear layer is; {GOOGLENET}, section 5, {RESNET}, section 3.3",
  ),
  Claim(
    "Global average pooling in place of its hidden layers would rid VGG-16 of most parameters",
    "most",
    lambda: (params("vgg16"), params("vgg16", head="gap")),
    (138_357_544, 15_227_688),
    _falls,
    "holds",
    "net.head=gap",
  ),
  Claim(
    "VGG's hidden layers on GoogLeNet would be nearly all of it",
    "most",
    lambda: (params("googlenet", head="fc"), params("googlenet")),
    (232_376_856, 6_998_552),
    _falls,
    "holds",
    "net.head=fc, two layers of 4096 on a map of 7x7x1024",
  ),
)  # fmt: skip

INCEPTION = (
  Claim(
    "Reduction to 16 channels makes the first 5x5 convolution of GoogLeNet ten times cheaper",
    "25*32*192 against 16*192 + 25*32*16",
    lambda: (
      macs_at("googlenet_naive", "inception3a/5x5"),
      macs_at("googlenet", "inception3a/5x5_reduce") + macs_at("googlenet", "inception3a/5x5"),
    ),
    (153_600, 15_872),
    _times,
    "holds",
    f"MACs per location in module 3a; {GOOGLENET}, table 1",
  ),
  Claim(
    "Reductions make the whole of module 3a as much cheaper",
    "ten times",
    lambda: (
      macs_in("googlenet_naive", inside="inception3a"), macs_in("googlenet", inside="inception3a"),
    ),
    (303_464_448, 128_049_152),
    _times,
    "wrong",
    "MACs at 28x28; most are in the 3x3 branch, whose reduction from 192 to 96 halves it",
  ),
  Claim(
    "A naive module gives more channels than a reduced one, all that it pools (3a)",
    "more",
    lambda: (
      channels_of("googlenet_naive", "inception3a", ("1x1", "3x3", "5x5", "max_pool")),
      channels_of("googlenet", "inception3a", ("1x1", "3x3", "5x5", "pool_projection")),
    ),
    (416, 256),
    _listed,
    "holds",
    f"{GOOGLENET}, figure 2 and section 4",
  ),
  Claim(
    "Naive modules on each other blow up computation within a few stages",
    "blow up",
    lambda: (macs("googlenet_naive"), macs("googlenet")),
    (12_568_061_056, 1_582_671_872),
    _times,
    "holds",
    f"{GOOGLENET}, section 4; MACs of the nine modules with stem and classifier",
  ),
  Claim(
    "GoogLeNet has 12 times fewer parameters than AlexNet",
    "12 times",
    lambda: (params("alexnet"), params("googlenet")),
    (60_965_224, 6_998_552),
    _times,
    "wrong",
    f"{GOOGLENET}, section 1; its own table 1 does not give it either",
  ),
  Claim(
    "GoogLeNet has 5 million parameters",
    "5 million",
    lambda: (params("googlenet"), params_in("googlenet", "conv")),
    (6_998_552, 5_973_552),
    lambda every, conv: f"{every:,}; {conv:,} without the classifier",
    "wrong",
    f"{INCEPTION_V3}, section 1",
  ),
  Claim(
    "GoogLeNet has 13 million parameters",
    "13 million",
    lambda: (params("googlenet_aux"), params("googlenet")),
    (13_378_280, 6_998_552),
    lambda both, main: f"{both:,} with both auxiliary heads, {main:,} without",
    "imprecise",
    "The heads are there in training only",
  ),
  Claim(
    "GoogLeNet keeps a budget of 1.5 billion multiply-adds",
    "1.5 billion",
    lambda: (macs("googlenet"),),
    (1_582_671_872,),
    _listed,
    "imprecise",
    f"{GOOGLENET}, section 1; the difference is conv1, see below",
  ),
  Claim(
    "GoogLeNet's first convolution has 2.7K parameters and 34M operations",
    "2.7K, 34M",
    lambda: (params_in("googlenet", "conv 7x7"), macs_in("googlenet", "conv 7x7")),
    (9_472, 118_013_952),
    _listed,
    "wrong",
    f"{GOOGLENET}, table 1: does not follow from 7x7 pixels, 3 to 64 channels, 112x112 locations",
  ),
  Claim(
    "GoogLeNet is much smaller and cheaper than VGG-16 (parameters; MACs)",
    "much",
    lambda: (params("vgg16"), params("googlenet"), macs("vgg16"), macs("googlenet")),
    (138_357_544, 6_998_552, 15_470_264_320, 1_582_671_872),
    _both_times,
    "holds",
    "Faster too? That is measured, not counted",
  ),
  Claim(
    "GoogLeNet is 22 layers deep",
    "22",
    lambda: (depth("googlenet"), len(layers("googlenet", "conv")) + 1),
    (22, 58),
    lambda path, every: f"{path} on the longest way, {every} in all",
    "holds",
    f"Layers with weights; {GOOGLENET}, section 5",
  ),
  Claim(
    "Inception-v3 costs only 2.5 times as much as GoogLeNet",
    "2.5 times",
    lambda: (macs("inception_v3"), macs("googlenet")),
    (5_713_216_096, 1_582_671_872),
    _times,
    "wrong",
    f"{INCEPTION_V3}, section 6; of the net as released, at 299 px",
  ),
  Claim(
    "Inception-v3 has 5 billion multiply-adds and less than 25 million parameters",
    "5 billion, < 25 million",
    lambda: (macs("inception_v3"), params("inception_v3")),
    (5_713_216_096, 23_834_568),
    _listed,
    "imprecise",
    f"{INCEPTION_V3}, abstract; the parameters hold, the MACs are 14 % more",
  ),
)  # fmt: skip

ALEXNET_AND_VGG = (
  Claim(
    "AlexNet has 60 million parameters and 650,000 neurons",
    "60 million, 650,000",
    lambda: (params("alexnet"), counted("alexnet").activations),
    (60_965_224, 659_272),
    _listed,
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
    _listed,
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
  Claim(
    "VGG's width starts at 64 and doubles after every pooling",
    "64, 128, 256, 512, 1024",
    lambda: tuple(layers("vgg16", inside=f"stage{s}")[0].shape[-1] for s in range(1, 6)),
    (64, 128, 256, 512, 512),
    _listed,
    "imprecise",
    f"{VGG}, section 2.1: until it reaches 512",
  ),
  Claim(
    "VGG has 133 to 144 million parameters (A, B, C, D, E)",
    "133, 133, 134, 138, 144 million",
    lambda: tuple(params(name) for name in ("vgg11", "vgg13", "vgg16_c", "vgg16", "vgg19")),
    (132_863_336, 133_047_848, 133_638_952, 138_357_544, 143_667_240),
    _listed,
    "holds",
    f"{VGG}, table 2",
  ),
  Claim(
    "VGG has about three times as many parameters as AlexNet",
    "3 times",
    lambda: (params("vgg16"), params("alexnet")),
    (138_357_544, 60_965_224),
    _times,
    "wrong",
    f"{INCEPTION_V3}, section 1; of VGG-16",
  ),
)

RESIDUAL = (
  Claim(
    "The number in a ResNet's name counts its layers with weights",
    "18, 34, 50, 101, 152",
    lambda: tuple(depth(f"resnet{d}") for d in (18, 34, 50, 101, 152)),
    (18, 34, 50, 101, 152),
    _listed,
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
    _share,
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
    _shares,
    "imprecise",
    f"{RESNET}, section 3.3, of basic units; in bottleneck units two of three are 1x1",
  ),
  Claim(
    "Bottleneck units cost about as much as basic ones (ResNet-50 v1, ResNet-34)",
    "3.8 and 3.6 billion",
    lambda: (macs("resnet50_v1"), macs("resnet34")),
    (3_857_973_248, 3_663_761_408),
    _times,
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
    _listed,
    "holds",
    f"{RESNET}, section 3.3, with option-A shortcuts; with option B ResNet-34 has 173,824 more",
  ),
  Claim(
    "CIFAR ResNets of 6n+2 layers are small (20, 32, 44, 56, 110)",
    "0.27, 0.46, 0.66, 0.85, 1.7 million",
    lambda: tuple(params(f"cifar_resnet{depth}") for depth in (20, 32, 44, 56, 110)),
    (269_722, 464_154, 658_586, 853_018, 1_727_962),
    _listed,
    "holds",
    f"{RESNET}, table 6",
  ),
  Claim(
    "ResNeXt-50 32x4d has the parameters and the cost of ResNet-50",
    "25.0 and 25.5 million, 4.2 and 4.1 billion",
    lambda: tuple(f(net) for f in (params, macs) for net in ("resnext50_32x4d", "resnet50")),
    (25_028_904, 25_557_032, 4_230_479_872, 4_089_184_256),
    _listed,
    "holds",
    "Xie et al. 2016, table 1; parameters, then MACs",
  ),
)

CLAIMS = (*KERNELS, *SHARES, *INCEPTION, *ALEXNET_AND_VGG, *RESIDUAL)
