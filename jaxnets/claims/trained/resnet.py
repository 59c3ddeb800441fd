"""What is told of residual nets, and of plain ones that are as deep."""

import itertools
import math

from jaxnets.claims.measures import TEST_ERROR, TRAIN_ERROR, steps_to
from jaxnets.claims.papers import RESNET
from jaxnets.claims.probed import REACH, RESPONSE
from jaxnets.claims.recipes import coarse, recipe, seeds
from jaxnets.claims.study import Arm, Beyond, Claim, Contrast, Size, Study
from jaxnets.config import Config

SMALL = ("cpu", "laptop")


def _nets(
  size: Size, *depths: int, kinds: tuple[str, ...] = ("plain", "residual")
) -> dict[str, Arm]:
  """Plain and residual nets of some depths."""
  if size == "pod":
    of = {"plain": "plain{}", "residual": "resnet{}_a"}
    return {f"{kind}-{d}": Arm({"net.name": of[kind].format(d)}) for kind in kinds for d in depths}
  shortcuts = {"plain": "none", "residual": "A"}
  return {
    f"{kind}-{d}": Arm({"net.shortcut": shortcuts[kind], "net.depth": d})
    for kind in kinds
    for d in depths
  }


def _base(size: Size) -> Config:
  """He et al.'s nets; half as wide on a laptop. Layers are looked at on the way."""
  if size == "pod":
    c = recipe(size, "resnet34_a")
    c.train.probe_every = c.train.steps // 4
    return c
  c = recipe(size, "cifar_resnet20", **({"width": 0.5} if size == "laptop" else {}))
  c.train.probe_every = c.train.steps // 4
  return c


def _depths(size: Size) -> tuple[int, int]:
  return (18, 34) if size == "pod" else (20, 56)


def _degradation(size: Size) -> Study:
  shallow, deep = (f"plain-{depth}" for depth in _depths(size))
  return Study(
    _base(size),
    _nets(size, *_depths(size), kinds=("plain",)),
    (
      Contrast(f"{deep} trains worse than {shallow}", shallow, deep, TRAIN_ERROR),
      Contrast(f"{deep} is worse on test images too", shallow, deep, TEST_ERROR),
      Contrast(
        f"the gradients in the first third of {deep} are more than a tenth of those in the last",
        None,
        deep,
        REACH,
        -math.log(10),
      ),
    ),
    seeds=seeds(size),
    note="steps are few: a net may be slow here rather than stuck" if size in SMALL else "",
  )


def _reversal(size: Size) -> Study:
  low, high = _depths(size)
  plain, residual, shallow = f"plain-{high}", f"residual-{high}", f"residual-{low}"
  contrasts = [
    Contrast(f"{residual} trains better than {plain}", residual, plain, TRAIN_ERROR),
    Contrast(f"{residual} is better on test images", residual, plain, TEST_ERROR),
  ]
  if size not in SMALL:
    says = f"{residual} is better than {shallow} on test images"
    contrasts.append(Contrast(says, residual, shallow, TEST_ERROR))
  named = {arm for one in contrasts for arm in (one.first, one.second)}
  arms = {name: arm for name, arm in _nets(size, low, high).items() if name in named}
  note = "whether a deeper residual net is better, so few steps do not tell"
  note = note if size in SMALL else ""
  return Study(_base(size), arms, tuple(contrasts), seeds=seeds(size), note=note)


def _convergence(size: Size) -> Study:
  low, _ = _depths(size)
  # What both nets get to; on a laptop a plain net does not get far.
  measure = steps_to({"laptop": 60, "pod": 60}.get(size, 20))
  says = f"residual-{low} takes fewer {measure.name}"
  return Study(
    _base(size),
    _nets(size, low),
    (Contrast(says, f"residual-{low}", f"plain-{low}", measure),),
    seeds=seeds(size),
  )


def _responses(size: Size) -> Study:
  low, high = _depths(size)
  plain, deep, shallow = f"plain-{high}", f"residual-{high}", f"residual-{low}"
  arms = {n: arm for n, arm in _nets(size, low, high).items() if n in (plain, deep, shallow)}
  return Study(
    _base(size),
    arms,
    (
      Contrast(f"responses are smaller in {deep} than in {plain}", deep, plain, RESPONSE),
      Contrast(f"and than in {shallow}", deep, shallow, RESPONSE),
    ),
    seeds=seeds(size),
    note="after so few steps the scales of batch norm are near the 1 that they start at"
    if size in SMALL
    else "",
  )


def _too_deep(size: Size) -> Study | Beyond:
  if size == "pod":
    return Beyond("it is told of CIFAR-10: --size=gpu")
  if size != "gpu":
    return Beyond("1,202 layers take days on a CPU, and fit nothing in some hundred steps")
  return Study(
    _base(size),
    {f"residual-{d}": Arm({"net.shortcut": "A", "net.depth": d}) for d in (110, 1202)},
    (
      Contrast("1,202 layers are worse on test images", "residual-110", "residual-1202",
               TEST_ERROR),
      Contrast("though they train no worse by more than a tenth of a point", "residual-1202",
               "residual-110", TRAIN_ERROR, -0.1),
    ),
  )  # fmt: skip


def _shortcuts(size: Size) -> Study:
  plain = f"plain-{_depths(size)[1]}"
  own = _nets(size, _depths(size)[1])[plain].overrides
  shape = {"net.name": "resnet34_a"} if size == "pod" else {"net.depth": own["net.depth"]}
  options = {f"option {o}": Arm(shape | {"net.shortcut": o}) for o in ("A", "B", "C")}
  pairs = itertools.permutations("ABC", 2)
  near = (
    Contrast(
      f"{second} is at most half a point better than {first}",
      f"option {first}", f"option {second}", TEST_ERROR, -0.5,
    )
    for first, second in pairs
  )  # fmt: skip
  far = (
    Contrast(f"option {o} is better than the plain net", f"option {o}", plain, TEST_ERROR)
    for o in "ABC"
  )
  return Study(_base(size), {plain: Arm(own)} | options, (*near, *far), note=coarse(size))


CLAIMS = (
  Claim(
    "C15",
    "Deeper plain nets train worse",
    f"{RESNET}, sections 1, 4.1 and 4.2, figures 1 and 6",
    "Training error rises with depth, with batch normalisation and signals that do not vanish; the "
    "authors argue that vanishing gradients are unlikely to be the cause.",
    "Training and test error of the deeper plain net exceed those of the shallower one, though its "
    "gradients do not vanish.",
    "CIFAR-10, 20 to 56 layers: about +4 points of training, +4 to +5 of test error (one "
    "reproduction; the paper has figure 6); ImageNet, 18 "
    "to 34 layers: +0.60 points of validation error (table 2)",
    _degradation,
  ),
  Claim(
    "C16",
    "Residual nets reverse the degradation",
    f"{RESNET}, sections 4.1 and 4.2, tables 2 and 6",
    "With shortcuts of no parameters 56 layers train better than 20, and test better.",
    "Shortcuts lower the training and the test error of the deep net; at the larger sizes it is "
    "better than the shallow residual net, too.",
    "CIFAR-10: test error 6.97 % with 56 layers, 8.75 % with 20; ImageNet, 34 layers: -3.51 points "
    "against the plain net (table 2)",
    _reversal,
  ),
  Claim(
    "C17",
    "At a depth that both can train, residual nets converge faster",
    f"{RESNET}, section 4.1",
    "The 18-layer nets are about equally accurate, but the residual one converges faster.",
    "The residual net needs fewer steps to a given training error.",
    "no number in the paper; figure 4",
    _convergence,
  ),
  Claim(
    "C18",
    "Residual functions are small: layers of residual nets respond less than those of plain nets",
    f"{RESNET}, section 4.2, figure 7",
    "Standard deviations of the layers' responses, after batch norm and before sum and ReLU, are "
    "generally smaller than in the plain counterparts, and smaller in deeper residual nets.",
    "At the end of training the geometric mean over the layers is smaller in the residual net than "
    "in the plain one, and smaller in the deeper of two residual nets.",
    "no number in the paper; figure 7",
    _responses,
  ),
  Claim(
    "C19",
    "A net can be too deep, and overfit",
    f"{RESNET}, section 4.2, table 6",
    "1,202 layers fit the training images (error below 0.1 %) and are worse on test images than "
    "110, which the authors argue is overfitting.",
    "Of two nets that fit the training images, the one of 1,202 layers has the higher test error.",
    "CIFAR-10: 7.93 against 6.43 %",
    _too_deep,
  ),
  Claim(
    "C20",
    "It matters little how the shortcuts change dimensions",
    f"{RESNET}, section 4.1, table 3",
    "B is slightly better than A, C marginally better than B; all are far better than plain. "
    "Projections are not essential for addressing degradation.",
    "Options A, B and C lie within half a point of each other, and all beat the plain net.",
    "ImageNet, 34 layers: 25.03, 24.52, 24.19 % top-1 error for A, B, C",
    _shortcuts,
  ),
)
