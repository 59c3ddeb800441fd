"""What is told of GoogLeNet: reductions and branches."""

import math

from jaxnets.claims.measures import MACS, TEST_ERROR
from jaxnets.claims.papers import GOOGLENET
from jaxnets.claims.recipes import coarse, recipe, seeds
from jaxnets.claims.study import Arm, Claim, Contrast, Size, Study
from jaxnets.config import Config

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
    note=coarse(size),
  )


def _branches(size: Size) -> Study:
  arms = {"all": Arm({})} | {
    f"without {branch}": Arm({"net.branches": tuple(b for b in BRANCHES if b != branch)})
    for branch in BRANCHES
  }
  return Study(
    _base(size),
    arms,
    tuple(
      Contrast(f"without {branch} it is worse", "all", f"without {branch}", TEST_ERROR)
      for branch in BRANCHES
    ),
    note="a net without a branch is cheaper too; equal cost is a question of its own",
  )


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
    "Every branch of an inception module matters",
    f"{GOOGLENET}, section 4",
    "No branch is taken away in the paper.",
    "Without any one branch the test error is higher.",
    "no number in the paper",
    _branches,
  ),
)
