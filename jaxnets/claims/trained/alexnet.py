"""What is told of AlexNet: rectifiers, dropout, response normalisation; and of MLPs before it."""

import math

from jaxnets.claims.measures import MASKS_SAVE, TEST_ERROR, TRAIN_ERROR, steps_to
from jaxnets.claims.papers import ALEXNET, VGG
from jaxnets.claims.recipes import recipe, seeds
from jaxnets.claims.study import Arm, Claim, Contrast, Size, Study
from jaxnets.config import Config
from jaxnets.sweep import grid


def _base(size: Size, **axes) -> Config:
  """Five layers with weights for the small sizes, two of them convolutions."""
  if size == "pod":
    c = recipe(size, "alexnet", **axes)
  else:
    widths, hidden = {"gpu": ((64, 128), 512)}.get(size, ((32, 64), 256))
    c = recipe(
      size, "vgg11", widths=widths, units=(1, 1), stem="small", hidden=hidden,
      **({"dropout": 0.0} | axes),
    )  # fmt: skip
    c.data.crop, c.data.flip = "none", False  # the figure is without regularisation of any kind
  c.optim.lr = 0.01
  c.optim.weight_decay = 0.0 if size != "pod" else 5e-4
  return c


def _activations(size: Size) -> Study:
  rates = [{"optim.lr": rate} for rate in (0.01, 0.03, 0.1)]
  if size == "cpu":  # where 0.1 is often the best
    rates.append({"optim.lr": 0.3})
  arms = {name: Arm({"net.activation": name}, tuple(rates)) for name in ("relu", "tanh", "sigmoid")}
  measure = steps_to({"laptop": 40, "pod": 60}.get(size, 25))
  return Study(
    _base(size),
    arms,
    (
      Contrast("ReLU takes a third of the steps of tanh, or fewer", "relu", "tanh", measure,
               math.log(3)),
      Contrast("sigmoid takes more steps than tanh", "tanh", "sigmoid", measure),
    ),
    seeds=seeds(size),
    note="all weights start as He et al. 2015 (1502.01852) draw them, which no net of 2012 had; "
    "the rates are chosen by the seeds that are then compared"
    + {"cpu": "; digits need no ReLU", "laptop": "; the paper goes on to 25 %"}.get(size, ""),
    tuned_by=measure,
  )  # fmt: skip


def _dropout(size: Size) -> Study:
  base = _base(size)
  if size == "laptop":
    _overfit(base)
  # The masks of the paper's two hidden layers, whose nets weight scaling stands for.
  arms = {
    "without": Arm({"net.dropout": 0.0}),
    "with": Arm({"net.dropout": 0.5, "eval.masks": 50}),
  }
  return Study(
    base,
    arms,
    (
      Contrast("test error is lower with dropout", "with", "without", TEST_ERROR),
      Contrast("50 masks save at most 0.3 points against weight scaling", "with", "without",
               MASKS_SAVE, -0.3),
      Contrast("and lose at most 0.3", "without", "with", MASKS_SAVE, -0.3),
    ),
    note="5,000 training images" if size == "laptop" else "",
  )  # fmt: skip


def _overfit(base: Config) -> None:
  """5,000 images to train on: some hundred steps of all of CIFAR-10 overfit nothing."""
  base.data.validation = 0.9
  base.train.steps = base.eval.every = base.train.checkpoint_every = 800


def _responses(size: Size) -> Study:
  arms = {"without": Arm({"net.lrn": False}), "with": Arm({"net.lrn": True})}
  return Study(
    _base(size),
    arms,
    (Contrast("test error is lower with LRN", "with", "without", TEST_ERROR),),
  )


def _sharing(size: Size) -> Study:
  base = _base(size)
  if size == "laptop":
    _overfit(base)
  equal = grid.matched("net.hidden", params={})[0]  # as many parameters as the base
  mlp = {"net.name": "mlp", "net.depth": 3} | equal
  if size == "pod":
    mlp["net.dropout"] = 0.5  # as AlexNet has
  arms = {"convolutions": Arm({}), "mlp": Arm(mlp)}
  if size != "pod":  # local layers on photos have billions of weights
    narrow = grid.matched("net.width", params={}, tolerance=0.03)[0]
    arms["local"] = Arm({"net.shared": False} | narrow)
  local = (
    Contrast("local layers, whose weights are not shared, are worse than convolutions",
             "convolutions", "local", TEST_ERROR),
    Contrast("the MLP is worse than local layers", "local", "mlp", TEST_ERROR),
  ) if "local" in arms else ()  # fmt: skip
  return Study(
    base,
    arms,
    (
      Contrast("the MLP is worse by 5 points of test error", "convolutions", "mlp", TEST_ERROR,
               5.0),
      *local,
      Contrast("though it trains no worse by more than a point", "mlp", "convolutions",
               TRAIN_ERROR, -1.0),
    ),
    note="local: as narrow as makes the parameters equal; one rate, 0.01, for all"
    if size != "pod" else "",
  )  # fmt: skip


CLAIMS = (
  Claim(
    "C2",
    "Sharing weights and looking locally stops the overfitting of MLPs",
    "LeCun et al. 1998, section I; Krizhevsky et al. 2012, section 1",
    "Convolutions have far fewer connections and are easier to train; the best performance is said "
    "to be only slightly worse in theory.",
    "At equal parameters the MLP has at least 5 points more test error, though it trains as well; "
    "local layers without shared weights lie between.",
    "CIFAR-10: 53 to 58 % accuracy for MLPs, 80 % and more for small ConvNets",
    _sharing,
  ),
  Claim(
    "C3",
    "ReLU trains several times faster than tanh",
    f"{ALEXNET}, section 3.1, figure 1",
    "A four-layer net reaches 25 % training error on CIFAR-10 six times faster than one with tanh, "
    "each at its own learning rate, without regularisation. Sigmoid is not in the figure.",
    "With the rate that is fastest for each, ReLU needs at most a third of tanh's steps, and "
    "sigmoid more than tanh.",
    "6 times on CIFAR-10; the effect varies with the net",
    _activations,
  ),
  Claim(
    "C5",
    "Dropout reduces overfitting, as an average of many nets does",
    f"{ALEXNET}, section 4.2",
    "Without it, on the first two of three fully connected layers, the net exhibits substantial "
    "overfitting; it about doubles the steps to converge. Weight scaling is said to be a "
    "reasonable approximation to the geometric mean of the many nets.",
    "Test error falls, and the mean prediction under 50 masks is as good as weight scaling within "
    "0.3 points.",
    "0.5 to 2 points on CIFAR-10 with small ConvNets",
    _dropout,
  ),
  Claim(
    "C6",
    "Local response normalisation helps",
    f"{ALEXNET}, section 3.3; {VGG}, section 4.1",
    "13 to 11 % test error for a four-layer net on CIFAR-10, 1.4 points of top-1 on ImageNet; VGG "
    "finds no gain (A-LRN).",
    "Test error falls with it.",
    "2 points on CIFAR-10, or nothing",
    _responses,
  ),
)
