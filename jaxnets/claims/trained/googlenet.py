"""What is told of GoogLeNet: reductions and branches."""

import math

from jaxnets.claims.measures import MACS, TEST_ERROR
from jaxnets.claims.papers import GOOGLENET, INCEPTION_V3
from jaxnets.claims.recipes import coarse, recipe, seeds
from jaxnets.claims.study import Arm, Beyond, Claim, Contrast, Size, Study
from jaxnets.config import Config
from jaxnets.sweep import grid

BRANCHES = ("1x1", "3x3", "5x5", "pool")


def _base(size: Size) -> Config:
  if size == "pod":
    return recipe(size, "googlenet_bn")
  width = 0.5 if size == "gpu" else 0.25
  c = recipe(size, "googlenet_bn", stem="small", depth=10, width=width, dropout=0.0)
  if size == "laptop":
    c.train.steps = 300
  return c


def _reductions(size: Size) -> Study:
  arms = {
    "reduced": Arm({"net.reduction": True}),
    "naive": Arm({"net.reduction": False}),
  }
  return Study(
    _base(size),
    arms,
    (
      Contrast("half of the multiply-adds go", "reduced", "naive", MACS, math.log(2)),
      Contrast("at most half a point of accuracy goes", "reduced", "naive", TEST_ERROR, -0.5),
    ),
    seeds=seeds(size),
    note="; ".join(filter(None, (coarse(size), "what reductions save in time is in C12"))),
  )


def _branches(size: Size) -> Study | Beyond:
  """Modules without one of their branches, as wide as makes up for its multiply-adds."""
  if size == "cpu":
    return Beyond(
      "a branch is told to be worth 0.2 points, one of the 500 test images; the maps of digits are "
      "too small for auxiliary heads"
    )
  as_dear = grid.matched("net.width", macs={}, tolerance=0.02)[0]
  arms = {"all": Arm({"net.aux": False})} | {
    f"without {branch}": Arm({"net.branches": tuple(b for b in BRANCHES if b != branch)} | as_dear)
    for branch in BRANCHES
  }
  contrasts = [
    Contrast(f"without {branch}, and as dear, it is worse by 0.2 points", "all",
             f"without {branch}", TEST_ERROR, 0.2)
    for branch in BRANCHES
  ]  # fmt: skip
  arms["auxiliary heads"] = Arm({"net.aux": True})
  says = "auxiliary heads lower the test error"
  contrasts.append(Contrast(says, "auxiliary heads", "all", TEST_ERROR))
  return Study(_base(size), arms, tuple(contrasts), seeds=seeds(size))


CLAIMS = (
  Claim(
    "C11",
    "1x1 reductions save compute at no loss",
    f"{GOOGLENET}, section 4, figure 2",
    "The naive module is said to blow up; no accuracy without reductions is given.",
    "The reduced net costs half or less, and loses at most half a point of test accuracy.",
    "5x5 branch of module 3a: 9.7 times fewer multiply-adds; no accuracy in the paper",
    _reductions,
  ),
  Claim(
    "C13",
    "Every branch of an inception module matters, and so do auxiliary classifiers",
    f"{GOOGLENET}, sections 4 and 5; {INCEPTION_V3} (1512.00567), section 4",
    "No branch is taken away in the paper. Auxiliary heads were expected to help the gradient and "
    "to regularise; the later paper finds that they do not help early in training, lead to a "
    "slightly higher plateau at its end, and that removing the lower one does no harm.",
    "At equal multiply-adds the test error is at least 0.2 points higher without any one branch; "
    "auxiliary heads lower it.",
    "about half a point for auxiliary heads; no number for branches",
    _branches,
  ),
)
