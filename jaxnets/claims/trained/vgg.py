"""What is told of VGG: small kernels in stacks, depth, and the heads that came after."""

import math

from jaxnets.claims.measures import MACS, PARAMS, TEST_ERROR, steps_to
from jaxnets.claims.papers import GOOGLENET, VGG
from jaxnets.claims.recipes import coarse, recipe
from jaxnets.claims.study import Arm, Claim, Contrast, Size, Study
from jaxnets.config import Config

# Convolutions in each stage; the small sizes keep as many stages as their images allow.
STAGES = {"cpu": 2, "laptop": 3, "gpu": 4, "pod": 5}
WIDTHS = {
  "cpu": (32, 64),
  "laptop": (16, 32, 64),
  "gpu": (64, 128, 256, 256),
  "pod": (64, 128, 256, 512, 512),
}


def _base(size: Size, *, norm: str = "batch") -> Config:
  """VGG of one convolution a stage; as published on ImageNet, averaged to one linear layer else."""
  head = "fc" if size == "pod" else "gap"
  hidden = {"cpu": 256, "laptop": 256, "gpu": 512, "pod": 4096}[size]
  c = recipe(
    size, "vgg11", widths=WIDTHS[size], units=(1,) * STAGES[size], norm=norm, head=head,
    hidden=hidden, dropout=0.0 if head == "gap" else 0.5,
    stem="imagenet" if size == "pod" else "small",
  )  # fmt: skip
  if norm == "none":
    c.optim.lr = 0.01
  return c


def _stacks(size: Size, count: int) -> dict:
  return {"net.units": (count,) * STAGES[size]}


def _kernels(size: Size) -> Study:
  arms = {
    "two 3x3": Arm(_stacks(size, 2)),
    "one 5x5": Arm({"net.kernel": 5}),
    "three 3x3": Arm(_stacks(size, 3)),
    "one 7x7": Arm({"net.kernel": 7}),
  }
  return Study(
    _base(size),
    arms,
    (
      Contrast("two 3x3 are better than one 5x5", "two 3x3", "one 5x5", TEST_ERROR),
      Contrast("three 3x3 are better than one 7x7", "three 3x3", "one 7x7", TEST_ERROR),
    ),
    seeds=10 if size == "cpu" else 5,  # five decide it for some seeds, and not for others
    note="on 8x8 images a 7x7 kernel sees nearly all" if size == "cpu" else "",
  )


def _head(size: Size) -> Study:
  dropout = {"net.dropout": 0.5}
  arms = {
    "fully connected": Arm({"net.head": "fc"} | dropout),
    "global average": Arm({"net.head": "gap"} | dropout),
  }
  return Study(
    _base(size),
    arms,
    (
      Contrast("four fifths of the parameters go", "global average", "fully connected", PARAMS,
               math.log(5)),
      Contrast("at most 0.3 points of accuracy go", "global average", "fully connected",
               TEST_ERROR, -0.3),
    ),
    note=coarse(size),
  )  # fmt: skip


def _norm(size: Size) -> Study:
  measure = steps_to({"laptop": 40, "pod": 60}.get(size, 20))
  rates = ({"optim.lr": 0.01}, {"optim.lr": 0.03}, {"optim.lr": 0.1})
  arms = {
    "without": Arm({"net.norm": "none"} | _stacks(size, 2), rates),
    "with": Arm({"net.norm": "batch"} | _stacks(size, 2), rates),
  }
  return Study(
    _base(size),
    arms,
    (
      Contrast("a net with batch norm is better", "with", "without", TEST_ERROR),
      Contrast(f"it takes fewer {measure.name}", "with", "without", measure),
    ),
  )


def _depth(size: Size) -> Study:
  if size == "pod":
    # A, B and D, of which A and D have one convolution more in the later stages.
    depths = {"1 a stage": 11, "2 a stage": 13, "3 a stage": 16}
    arms = {name: Arm({"net.units": (), "net.depth": depth}) for name, depth in depths.items()}
  else:
    arms = {f"{n} a stage": Arm(_stacks(size, n)) for n in (1, 2, 3)}
  return Study(
    _base(size, norm="none"),
    arms,
    (
      Contrast("two convolutions a stage are better than one", "2 a stage", "1 a stage",
               TEST_ERROR),
      Contrast("a third is at most 0.3 points better", "2 a stage", "3 a stage", TEST_ERROR, -0.3),
      Contrast("and costs more", "2 a stage", "3 a stage", MACS),
    ),
    note=coarse(size),
  )  # fmt: skip


CLAIMS = (
  Claim(
    "C7",
    "Stacked 3x3 kernels beat one large kernel of the same receptive field",
    f"{VGG}, sections 2.3 and 4.1",
    "Net B with each pair of 3x3 convolutions replaced by one 5x5 is 7 % worse in top-1 error on a "
    "center crop.",
    "At equal widths two 3x3 beat one 5x5, and three 3x3 one 7x7, on test images.",
    "ImageNet: 7 points of top-1 error; on small images less",
    _kernels,
  ),
  Claim(
    "C8",
    "Global average pooling replaces the fully connected layers at no loss",
    f"{GOOGLENET}, section 5; Lin et al. 2013",
    "The move from fully connected layers to average pooling improved top-1 accuracy by about 0.6 "
    "points; dropout remained essential.",
    "At least four fifths of the parameters go, and at most 0.3 points of test accuracy.",
    "+0.6 points of top-1 accuracy; VGG-16: 89 % of the parameters are in those layers",
    _head,
  ),
  Claim(
    "C22",
    "Batch normalisation makes VGG train faster and better",
    "Ioffe and Szegedy 2015; torchvision's published weights",
    "The paper does not train VGG; torchvision's nets gain 1.35 to 1.84 points of top-1 accuracy.",
    "With the rate tuned for the accuracy of each, the net with batch norm has the lower test "
    "error, and reaches a given training error in fewer steps.",
    "ImageNet: 1.35, 1.66, 1.77, 1.84 points for 11, 13, 16, 19 layers",
    _norm,
  ),
  Claim(
    "C23",
    "VGG gets better with depth, and then no more",
    f"{VGG}, section 4.1, table 3",
    "The error saturates at 19 layers; deeper ones might help on larger data.",
    "A second convolution a stage helps on test images; a third helps by at most 0.3 points.",
    "ImageNet: 29.6, 28.7, 27.0, 27.3 % top-1 error for A, B, D, E at one scale",
    _depth,
  ),
)
