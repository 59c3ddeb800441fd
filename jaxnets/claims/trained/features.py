"""What is told of hand-made features, and of features that nets learn."""

from jaxnets.claims.measures import TEST_ERROR
from jaxnets.claims.papers import ALEXNET
from jaxnets.claims.recipes import recipe, seeds
from jaxnets.claims.study import Arm, Beyond, Claim, Contrast, Overrides, Size, Study
from jaxnets.config import Config

# Features and classifiers.
PHOTOS = (("raw", "logreg"), ("hog", "logreg"), ("hog", "svm"), ("hog", "forest"),
          ("lbp", "logreg"), ("gist", "logreg"), ("sift", "logreg"),
          ("hog+lbp+colour", "logreg"), ("hog+lbp+gist+sift+colour", "logreg"))  # fmt: skip
DIGITS = (("raw", "logreg"), ("raw", "svm"), ("raw", "forest"), ("raw", "rbf"), ("hog", "logreg"),
          ("hog", "svm"), ("raw+hog", "logreg"), ("gist", "logreg"), ("gist", "rbf"))  # fmt: skip
RIVALS: dict[Size, tuple[tuple[str, str], ...]] = {
  "cpu": DIGITS,
  "laptop": PHOTOS,
  "gpu": (*PHOTOS, ("hog", "rbf")),
}
# Few strengths of what takes minutes to fit to photos. Others, in docs/classical.md, gain half a
# point at most, and the best pipeline is points ahead.
DEAR: dict[tuple[str, str], Overrides] = {
  ("raw", "logreg"): {"logreg.c": (0.001, 0.01)},
  ("hog", "svm"): {"svm.c": (0.0001, 0.001)},
  ("hog", "forest"): {"forest.leaf": (2,)},
  ("hog", "rbf"): {"rbf.c": (10.0,), "rbf.gamma": (0.5,)},
}


def _base(size: Size) -> Config:
  """A ConvNet as VGG's with batch norm; the digits are small, and so is its number of stages."""
  stages = 2 if size == "cpu" else 3
  c = recipe(
    size, "vgg11", norm="batch", head="gap", dropout=0.0, stem="small",
    widths=(32, 64, 128)[:stages], units=(2,) * stages,
  )  # fmt: skip
  if size == "laptop":
    c.train.steps = 2000
  return c


def _pipeline(size: Size, features: str, classifier: str) -> Overrides:
  """A pipeline with the strengths that are tried: the classifier's whole grid, but for DEAR."""
  overrides: Overrides = {"pipeline.features": features, "pipeline.classifier": classifier}
  if classifier == "forest":
    overrides |= {"forest.trees": 100}
  if size != "cpu":
    return overrides | DEAR.get((features, classifier), {})
  # Cells for an image of 8x8 pixels.
  cells = {"hog": {"hog.cell": 2}, "gist": {"gist.grid": 2}}
  for one in features.split("+"):
    overrides |= cells.get(one, {})
  return overrides


def _learned(size: Size) -> Study | Beyond:
  if size == "pod":
    return Beyond("the pipelines hold all features in memory, which those of ImageNet do not fit")
  pipelines = tuple(_pipeline(size, *one) for one in RIVALS[size])
  arms = {"ConvNet": Arm({}), "hand-made": Arm({}, pipelines, hand_made=True)}
  if size == "gpu":
    arms["ResNet-20"] = Arm({"net.name": "cifar_resnet20"})
  contrasts = [
    Contrast(f"the best hand-made features are worse than a {net} by 10 points", net, "hand-made",
             TEST_ERROR, 10.0)
    for net in arms if net != "hand-made"
  ]  # fmt: skip
  if size != "cpu":
    one = tuple(made for made in pipelines if "+" not in made["pipeline.features"])
    arms["one kind of feature"] = Arm({}, one, hand_made=True)
    arms["k-means"] = Arm(_pipeline(size, "kmeans", "logreg"), hand_made=True)
    contrasts.append(
      Contrast("200 patches found by k-means are better than the best single kind", "k-means",
               "one kind of feature", TEST_ERROR)
    )  # fmt: skip
  why = {
    "cpu": "on digits of 8x8 pixels there is little to describe: pipelines make few errors in a "
    "hundred, and no net can make 10 fewer",
    "laptop": "three passes of the images end long before the ConvNet has learned what it can",
  }
  return Study(
    _base(size), arms, tuple(contrasts), seeds=seeds(size), cannot_refute=why.get(size, "")
  )


CLAIMS = (
  Claim(
    "C1",
    "Learned features beat hand-made ones",
    f"{ALEXNET}, table 2; Russakovsky et al. 2015 (1409.0575), table 5; Coates, Lee, Ng 2011",
    "ILSVRC-2012, top-5 test error: 26.2 % with Fisher vectors of several features, 15.3 % with "
    "seven ConvNets, two of them trained before on more classes, 16.4 % with five. The rivals are "
    "ensembles of features with Fisher vectors, not one descriptor and an SVM.",
    "The best of these hand-made features and classifiers, chosen on validation images, has at "
    "least 10 points more test error than a small ConvNet of the same training images, which it "
    "sees cropped and flipped where the recipe says so, and than a ResNet-20 by the long recipe; "
    "on photos patches found by k-means, learned without labels, are better than the best single "
    "kind of hand-made feature.",
    "CIFAR-10: about 62 % accuracy with HOG, 91 % with a ResNet of 20 layers, 79.6 % with 4,000 "
    "patches found by k-means (200 here)",
    _learned,
  ),
)
