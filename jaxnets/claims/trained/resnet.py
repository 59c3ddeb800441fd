"""What is told of residual nets, and of plain ones that are as deep."""

import itertools
import math

from jaxnets.claims.measures import MACS, TEST_ERROR, TRAIN_ERROR, below, steps_to
from jaxnets.claims.papers import RESNET
from jaxnets.claims.probed import REACH, RESPONSE
from jaxnets.claims.recipes import recipe, seeds
from jaxnets.claims.study import Arm, Beyond, Claim, Contrast, Overrides, Size, Study
from jaxnets.config import Config

SMALL = ("cpu", "laptop")
TABLE_6 = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.61}  # test error by depth, percent
# As wide inside as the net of 20 layers, and as many units.
BOTTLENECK: Overrides = {
  "net.unit": "bottleneck", "net.bottleneck": 4.0, "net.widths": (64, 128, 256), "net.depth": 29,
}  # fmt: skip


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
  name = "resnet34_a" if size == "pod" else "cifar_resnet20"
  c = recipe(size, name, **({"width": 0.5} if size == "laptop" else {}))
  c.train.probe_every = c.train.steps // 4
  if size == "gpu":
    c.data.validation = 0.0  # nothing is chosen, and table 6 is of all 50,000 images
  return c


def _depths(size: Size) -> tuple[int, ...]:
  """Of plain nets and residual ones; the first and the last are those that all sizes compare."""
  return {"pod": (18, 34), "gpu": (20, 32, 44, 56)}.get(size, (20, 56))


def _degradation(size: Size) -> Study:
  names = [f"plain-{depth}" for depth in _depths(size)]
  shallow, deep = names[0], names[-1]
  steps = [
    Contrast(f"{more} trains worse than {less}", less, more, TRAIN_ERROR)
    for less, more in itertools.pairwise(names)
  ]
  points = 0.0 if size == "pod" else 2.0
  said = f"by {points:g} points" if points else ""
  return Study(
    _base(size),
    _nets(size, *_depths(size), kinds=("plain",)),
    (
      *(steps if len(steps) > 1 else ()),
      Contrast(f"{deep} trains worse than {shallow}", shallow, deep, TRAIN_ERROR),
      Contrast(f"{deep} is worse on test images too {said}".rstrip(), shallow, deep, TEST_ERROR,
               points),
      Contrast(
        f"the gradients in the first third of {deep} are more than a tenth of those in the last",
        None,
        deep,
        REACH,
        -math.log(10),
      ),
      Contrast("and less than ten times those", deep, None, REACH, -math.log(10)),
    ),
    seeds=seeds(size),
    note="gradients are those of all probes but that of the first step, where batch norm makes "
    "them grow towards the images; what is asked of them was settled when first runs had been seen"
    + ("; steps are few: a net may be slow here rather than stuck" if size in SMALL else ""),
  )  # fmt: skip


def _reversal(size: Size) -> Study:
  low, *_, high = _depths(size)
  plain, residual, shallow = f"plain-{high}", f"residual-{high}", f"residual-{low}"
  points = 0.0 if size == "pod" else 4.0
  said = f"by {points:g} points" if points else ""
  contrasts = [
    Contrast(f"{residual} trains better than {plain}", residual, plain, TRAIN_ERROR),
    Contrast(f"{residual} is better on test images {said}".rstrip(), residual, plain, TEST_ERROR,
             points),
  ]  # fmt: skip
  if size not in SMALL:
    says = f"{residual} is better than {shallow} on test images"
    contrasts.append(Contrast(says, residual, shallow, TEST_ERROR))
  arms = _nets(size, low, high)
  if size == "gpu":
    arms |= _nets(size, *TABLE_6, kinds=("residual",))
    contrasts += [
      Contrast(f"residual-{depth} is within 0.3 points of table 6, or better", None,
               f"residual-{depth}", below(TEST_ERROR, round(error + 0.3, 2)))
      for depth, error in TABLE_6.items()
    ]  # fmt: skip
  named = {arm for one in contrasts for arm in (one.first, one.second) if arm}
  note = "whether a deeper residual net is better, so few steps do not tell"
  return Study(
    _base(size),
    {name: arm for name, arm in arms.items() if name in named},
    tuple(contrasts),
    # Five seeds, with the spread of the paper's 110 layers, cannot tell 0.3 points.
    seeds=10 if size == "gpu" else seeds(size),
    note=note if size in SMALL else "",
  )


def _convergence(size: Size) -> Study:
  low = _depths(size)[0]
  # What both nets get to; on a laptop a plain net does not get far.
  measure = steps_to({"laptop": 70, "pod": 60}.get(size, 20))
  says = f"residual-{low} takes at least a tenth fewer {measure.name}"
  return Study(
    _base(size),
    _nets(size, low),
    (Contrast(says, f"residual-{low}", f"plain-{low}", measure, -math.log(0.9)),),
    seeds=seeds(size),
  )


def _responses(size: Size) -> Study:
  low, *_, high = _depths(size)
  plain, deep = f"plain-{high}", f"residual-{high}"
  depths = (low, high, 110) if size == "gpu" else (low, high)
  residual = _nets(size, *depths, kinds=("residual",))
  return Study(
    _base(size),
    {plain: _nets(size, high)[plain]} | residual,
    (
      Contrast(f"responses are smaller in {deep} than in {plain}", deep, plain, RESPONSE),
      *(
        Contrast(f"and in {deeper} than in {shallower}", deeper, shallower, RESPONSE)
        for shallower, deeper in itertools.pairwise(residual)
      ),
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
      Contrast("though they make less than 0.1 % errors in training", None, "residual-1202",
               below(TRAIN_ERROR, 0.1)),
    ),
  )  # fmt: skip


def _shortcuts(size: Size) -> Study | Beyond:
  if size == "cpu":
    return Beyond("half a point between options is two or three of the 500 test images")
  low, *_, high = _depths(size)
  arms, contrasts = {}, []
  for depth in (low, high) if size == "gpu" else (high,):
    plain, own = f"plain-{depth}", _nets(size, depth, kinds=("plain",))
    shape = {"net.name": "resnet34_a"} if size == "pod" else {"net.depth": depth}
    where = "" if depth == high else f", {depth} layers"
    options = {o: f"option {o}{where}" for o in "ABC"}
    arms |= own | {name: Arm(shape | {"net.shortcut": o}) for o, name in options.items()}
    contrasts += [
      Contrast(f"{second} is at most half a point better than {first}", first, second, TEST_ERROR,
               -0.5)
      for first, second in itertools.permutations(options.values(), 2)
    ]  # fmt: skip
    contrasts += [
      Contrast(f"{name} is better than the plain net", name, plain, TEST_ERROR)
      for name in options.values()
    ]
  early, late = "stride on the first 1x1 (v1)", "stride on the 3x3 (v1.5)"
  bottleneck: Overrides = {"net.name": "resnet50"} if size == "pod" else BOTTLENECK
  arms |= {early: Arm(bottleneck | {"net.stride_first": True}), late: Arm(bottleneck)}
  contrasts += [
    Contrast(f"a {late} is better", late, early, TEST_ERROR),
    Contrast("and costs more multiply-adds", early, late, MACS),
  ]
  return Study(_base(size), arms, tuple(contrasts))


CLAIMS = (
  Claim(
    "C15",
    "Deeper plain nets train worse",
    f"{RESNET}, sections 1, 4.1 and 4.2, figures 1 and 6",
    "Training error rises with depth, with batch normalisation and signals that do not vanish; the "
    "authors argue that vanishing gradients are unlikely to be the cause.",
    "Training and test error of the deeper plain net exceed those of the shallower one, the latter "
    "by 2 points on small images, though its gradients do not vanish; with the recipe of the paper "
    "each of the deeper nets trains worse than the one before.",
    "CIFAR-10, 20 to 56 layers: about +4 points of training, +4 to +5 of test error (one "
    "reproduction; the paper has figure 6); ImageNet, 18 "
    "to 34 layers: +0.60 points of validation error (table 2)",
    _degradation,
    '"Deep plain nets train badly because their gradients vanish": these nets have batch norm, and '
    "their gradients reach the first layers, as measured below.",
  ),
  Claim(
    "C16",
    "Residual nets reverse the degradation",
    f"{RESNET}, sections 4.1 and 4.2, tables 2 and 6",
    "With shortcuts of no parameters 56 layers train better than 20, and test better.",
    "Shortcuts lower the training error of the deep net, and its test error, by 4 points on small "
    "images; at the larger sizes it is better than the shallow residual net too, and with the "
    "recipe of the paper within 0.3 points of table 6, or better.",
    "CIFAR-10: test error 6.97 % with 56 layers, 8.75 % with 20; ImageNet, 34 layers: -3.51 points "
    "against the plain net (table 2)",
    _reversal,
  ),
  Claim(
    "C17",
    "At a depth that both can train, residual nets converge faster",
    f"{RESNET}, section 4.1",
    "The 18-layer nets are about equally accurate, but the residual one converges faster.",
    "The residual net needs at least a tenth fewer steps to a given training error.",
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
    "The net of 1,202 layers has the higher test error, though it makes less than 0.1 % errors on "
    "training images.",
    "CIFAR-10: 7.93 against 6.43 %",
    _too_deep,
  ),
  Claim(
    "C20",
    "It matters little how the shortcuts change dimensions, and something where the stride is",
    f"{RESNET}, section 4.1, table 3; torchvision's and others' nets of version 1.5",
    "B is slightly better than A, C marginally better than B; all are far better than plain. "
    "Projections are not essential for addressing degradation. The paper has the stride of a "
    "bottleneck unit on its first 1x1 convolution; with that on the 3x3 nothing is skipped unseen.",
    "Options A, B and C lie within half a point of each other, and all beat the plain net; a "
    "stride on the 3x3 convolution is better, and costs more.",
    "ImageNet, 34 layers: 25.03, 24.52, 24.19 % top-1 error for A, B, C; 50 layers: about half a "
    "point for the stride on the 3x3",
    _shortcuts,
  ),
)
