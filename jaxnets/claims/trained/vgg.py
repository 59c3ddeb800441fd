"""What is told of VGG: small kernels in stacks, depth, and the heads that came after."""

import itertools
import math

from jaxnets.claims.measures import MACS, PARAMS, TEST_ERROR, steps_to
from jaxnets.claims.papers import GOOGLENET, VGG
from jaxnets.claims.recipes import coarse, recipe
from jaxnets.claims.study import Arm, Claim, Contrast, Overrides, Size, Study
from jaxnets.config import Config
from jaxnets.sweep import grid

NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four"}
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
  hidden = 256 if size in ("cpu", "laptop") else 4096
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
  arms, contrasts = {}, []
  for count, kernel in ((2, 5), (3, 7)):
    stack, one = f"{NUMBERS[count]} 3x3", f"one {kernel}x{kernel}"
    arms |= {stack: Arm(_stacks(size, count)), one: Arm({"net.kernel": kernel})}
    contrasts.append(
      Contrast(f"{stack} are better than {one} by half a point", stack, one, TEST_ERROR, 0.5)
    )
    as_many = grid.matched("net.width", params=_stacks(size, count), tolerance=0.03)[0]
    equal = f"{one}, equal parameters"
    arms[equal] = Arm({"net.kernel": kernel} | as_many)
    says = f"and better than {one} of as many parameters"
    contrasts.append(Contrast(says, stack, equal, TEST_ERROR))
  note = f"on 8x8 images a 7x7 kernel sees nearly all; {coarse(size)}" if size == "cpu" else ""
  # Five seeds decide it on digits for some seeds, and not for others.
  seeds = 10 if size == "cpu" else 5
  return Study(_base(size), arms, tuple(contrasts), seeds=seeds, note=note)


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
    seeds=10 if size == "cpu" else 5,  # five decide it for some seeds, and not for others
    note=coarse(size),
    cannot_support="in so few steps dropout of one half leaves the fully connected net far from "
    "trained" if size == "laptop" else "",
  )  # fmt: skip


def _norm(size: Size) -> Study:
  measure = steps_to({"laptop": 50, "pod": 60}.get(size, 20))
  rates = ({"optim.lr": 0.01}, {"optim.lr": 0.03}, {"optim.lr": 0.1})
  nets: dict[str, Overrides] = {
    "without": {"net.norm": "none"} | _stacks(size, 2),
    "with": {"net.norm": "batch"} | _stacks(size, 2),
  }
  slow, fast = "without, rate 0.01", "with, rate 0.1"
  arms = {name: Arm(net, rates) for name, net in nets.items()}
  arms |= {slow: Arm(nets["without"] | rates[0]), fast: Arm(nets["with"] | rates[-1])}
  return Study(
    _base(size),
    arms,
    (
      Contrast("a net with batch norm is better by a point", "with", "without", TEST_ERROR, 1.0),
      Contrast(f"it takes fewer {measure.name}", "with", "without", measure),
      Contrast("it is better at ten times the rate", fast, slow, TEST_ERROR),
    ),
  )


def _depth(size: Size) -> Study:
  """Configurations A, B, D and E, or as many layers in each stage."""
  if size == "pod":
    arms = {f"{n} layers": Arm({"net.units": (), "net.depth": n}) for n in (11, 13, 16, 19)}
  else:
    counts = (1, 2, 3, 4) if size == "gpu" else (1, 2, 3)
    arms = {f"{NUMBERS[n]} a stage": Arm(_stacks(size, n)) for n in counts}
  *growing, last, deepest = arms
  return Study(
    _base(size, norm="none"),
    arms,
    (
      *(
        Contrast(f"{more} are better than {less}", more, less, TEST_ERROR)
        for less, more in itertools.pairwise([*growing, last])
      ),
      Contrast(f"{deepest} are at most 0.3 points better than {last}", last, deepest, TEST_ERROR,
               -0.3),
      Contrast("and cost more", last, deepest, MACS),
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
    "On test images two 3x3 beat one 5x5, and three 3x3 one 7x7, by at least half a point at equal "
    "width, and at all at equal parameters.",
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
    "With the rate tuned for the accuracy of each, the net with batch norm makes at least a point "
    "fewer errors on test images, and reaches a given training error in fewer steps; it is better "
    "at ten times the rate, too.",
    "ImageNet: 1.35, 1.66, 1.77, 1.84 points for 11, 13, 16, 19 layers",
    _norm,
  ),
  Claim(
    "C23",
    "VGG gets better with depth, and then no more",
    f"{VGG}, section 4.1, table 3",
    "The error saturates at 19 layers; deeper ones might help on larger data.",
    "Each further convolution a stage helps on test images, until one helps by at most 0.3 points.",
    "ImageNet: 29.6, 28.7, 27.0, 27.3 % top-1 error for A, B, D, E at one scale",
    _depth,
  ),
)
