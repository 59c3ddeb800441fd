"""What is told of AlexNet: rectifiers, dropout, response normalisation; and of MLPs before it."""

import math

from jaxnets.claims.measures import GAP, MASKS_SAVE, TEST_ERROR, TRAIN_ERROR, steps_to
from jaxnets.claims.papers import ALEXNET, VGG
from jaxnets.claims.recipes import coarse, recipe, seeds
from jaxnets.claims.study import Arm, Claim, Contrast, Overrides, Size, Study
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
  # On digits larger ones are better.
  tried = (0.03, 0.1, 0.3) if size == "cpu" else (0.01, 0.03, 0.1)
  rates = [{"optim.lr": rate} for rate in tried]
  arms = {name: Arm({"net.activation": name}, tuple(rates)) for name in ("relu", "tanh", "sigmoid")}
  measure = steps_to({"laptop": 50, "pod": 60}.get(size, 25))
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
    "the rates are chosen by the seeds that are then compared",
    tuned_by=measure,
    cannot_refute={
      "cpu": "digits need no ReLU: five layers learn them in tens of steps",
      "laptop": "it is told of 25 % training error, to which 500 steps do not get",
    }.get(size, ""),
  )  # fmt: skip


def _dropout(size: Size) -> Study:
  base = _base(size)
  base.eval.fitted = True
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
      Contrast("it is nearer to the error on training images", "with", "without", GAP),
      Contrast("50 masks save at most 0.3 points against weight scaling", "with", "without",
               MASKS_SAVE, -0.3),
      Contrast("and lose at most 0.3", "without", "with", MASKS_SAVE, -0.3),
    ),
    note="5,000 training images" if size == "laptop" else "",
    cannot_refute="dropout roughly doubles the steps that a net needs (section 4.2), and both have "
    "800" if size == "laptop" else "",
  )  # fmt: skip


def _overfit(base: Config) -> None:
  """20 passes of 5,000 images: some hundred steps of all of CIFAR-10 overfit nothing."""
  base.data.validation = 0.9
  base.train.batch = 128
  base.train.steps = base.eval.every = base.train.checkpoint_every = 800


def _responses(size: Size) -> Study:
  plain: Overrides = {"net.lrn": False, "net.pool_window": 2}
  lrn, norm = {"net.lrn": True}, {"net.norm": "batch"}
  arms = {
    "plain": Arm(plain),
    "LRN": Arm(plain | lrn),
    "overlap": Arm(plain | {"net.pool_window": 3}),
    "batch norm": Arm(plain | norm),
    "batch norm, LRN": Arm(plain | norm | lrn),
  }
  return Study(
    _base(size),
    arms,
    (
      Contrast("LRN lowers the test error by half a point", "LRN", "plain", TEST_ERROR, 0.5),
      Contrast("overlapping pooling lowers it", "overlap", "plain", TEST_ERROR),
      Contrast("with batch norm LRN gains at most half a point", "batch norm", "batch norm, LRN",
               TEST_ERROR, -0.5),
    ),
    note=coarse(size),
  )  # fmt: skip


def _sharing(size: Size) -> Study:
  base = _base(size)
  if size == "laptop":
    _overfit(base)
  base.eval.fitted = True
  contrasts, arms = [], {}
  # Of the parameters of the base; CIFAR-10 by the long recipe has a smaller and a larger budget.
  budgets = {"": {}} if size != "gpu" else {"": 1_000_000, ", 0.27 M": 270_000}
  for said, params in budgets.items():
    nets = _equal(size, params)
    arms |= {kind + said: Arm(net) for kind, net in nets.items()}
    convolutions, local, mlp = (kind + said for kind in ("convolutions", "local", "mlp"))
    if "local" in nets:
      contrasts += [
        Contrast(f"{local}, with no weights shared, is worse by 5 points", convolutions, local,
                 TEST_ERROR, 5.0),
        Contrast(f"{mlp} is worse than that by 5 more", local, mlp, TEST_ERROR, 5.0),
      ]  # fmt: skip
    else:
      contrasts.append(
        Contrast(f"{mlp} is worse by 5 points of test error", convolutions, mlp, TEST_ERROR, 5.0)
      )
    contrasts += [
      Contrast(f"{mlp} trains no worse by more than a point", mlp, convolutions, TRAIN_ERROR, -1.0),
      Contrast(f"{mlp} is worse by 35 points than on its training images", None, mlp, GAP, 35.0),
    ]
  note = {
    "cpu": "images of 8x8 pixels",
    "laptop": "5,000 training images",
    "gpu": "a million parameters where no number is said",
    "pod": "without local layers, which have billions of weights here",
  }[size]
  note = f"parameters are equal within 3 %, by width; {note}"
  easy = "where all nets make a few errors in a hundred there are no 5 points to lose, and no 35"
  return Study(base, arms, tuple(contrasts), note=note, cannot_refute=easy if size == "cpu" else "")


def _equal(size: Size, params: dict | int) -> dict[str, Overrides]:
  """Convolutions, local layers and an MLP of equal parameters: a number, or those of the base."""
  width = grid.matched("net.width", params=params, tolerance=0.03)[0]
  mlp = {"net.name": "mlp", "net.depth": 3} | grid.matched("net.hidden", params=params)[0]
  if size == "pod":  # where local layers have billions of weights
    return {"convolutions": {}, "mlp": mlp | {"net.dropout": 0.5}}  # as AlexNet has
  return {
    "convolutions": width if isinstance(params, int) else {},
    "local": {"net.shared": False} | width,
    "mlp": mlp,
  }


CLAIMS = (
  Claim(
    "C2",
    "Sharing weights and looking locally stops the overfitting of MLPs",
    "LeCun et al. 1998, section I; Krizhevsky et al. 2012, section 1",
    "Convolutions have far fewer connections and are easier to train; the best performance is said "
    "to be only slightly worse in theory.",
    "At equal parameters local layers that share no weights have at least 5 points more test error "
    "than convolutions, and an MLP 5 points more than those, though it trains as well: on its "
    "training images it makes 35 points fewer errors.",
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
    '"Several times faster than the sigmoid": the figure compares with tanh.',
  ),
  Claim(
    "C5",
    "Dropout reduces overfitting, as an average of many nets does",
    f"{ALEXNET}, section 4.2",
    "Without it, on the first two of three fully connected layers, the net exhibits substantial "
    "overfitting; it about doubles the steps to converge. Weight scaling is said to be a "
    "reasonable approximation to the geometric mean of the many nets.",
    "Test error falls, and comes nearer to that on training images; the mean prediction under 50 "
    "masks is as good as weight scaling within 0.3 points.",
    "0.5 to 2 points on CIFAR-10 with small ConvNets",
    _dropout,
    '"Dropout follows every fully connected layer": it follows the first two of three, here too; '
    "behind the last it would drop logits.",
  ),
  Claim(
    "C6",
    "Local response normalisation and overlapping pooling help",
    f"{ALEXNET}, sections 3.3 and 3.4; {VGG}, section 4.1",
    "LRN: 13 to 11 % test error for a four-layer net on CIFAR-10, 1.4 points of top-1 error on "
    "ImageNet; VGG finds no gain (A-LRN). Windows of 3 px at stride 2 instead of 2: 0.4 points of "
    "top-1 error.",
    "LRN lowers the test error by at least half a point, and no more than that once there is batch "
    "norm; overlapping windows lower it.",
    "2 points on CIFAR-10, or nothing; 0.4 for pooling",
    _responses,
  ),
)
