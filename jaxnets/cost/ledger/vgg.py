"""VGG, Simonyan and Zisserman 2014 (1409.1556), tables 1 and 2."""

import math

import jax

from jaxnets import nets
from jaxnets.cost.ledger import measures
from jaxnets.cost.ledger.measures import axis
from jaxnets.cost.ledger.row import Row, torchvision

PAPER = "Simonyan and Zisserman 2014"
RESNET = "He et al. 2015"

# Columns of table 1, cell by cell: layers with weights, the convolutions between the poolings;
# and of table 2: parameters in millions.
TABLES = {
  "vgg11": ("11", ("conv3-64", "conv3-128", "conv3-256 conv3-256", "conv3-512 conv3-512",
                   "conv3-512 conv3-512"), "133"),
  "vgg11_lrn": ("11", ("conv3-64 LRN", "conv3-128", "conv3-256 conv3-256", "conv3-512 conv3-512",
                       "conv3-512 conv3-512"), "133"),
  "vgg13": ("13", ("conv3-64 conv3-64", "conv3-128 conv3-128", "conv3-256 conv3-256",
                   "conv3-512 conv3-512", "conv3-512 conv3-512"), "133"),
  "vgg16_c": ("16", ("conv3-64 conv3-64", "conv3-128 conv3-128", "conv3-256 conv3-256 conv1-256",
                     "conv3-512 conv3-512 conv1-512", "conv3-512 conv3-512 conv1-512"), "134"),
  "vgg16": ("16", ("conv3-64 conv3-64", "conv3-128 conv3-128", "conv3-256 conv3-256 conv3-256",
                   "conv3-512 conv3-512 conv3-512", "conv3-512 conv3-512 conv3-512"), "138"),
  "vgg19": ("19", ("conv3-64 conv3-64", "conv3-128 conv3-128",
                   "conv3-256 conv3-256 conv3-256 conv3-256",
                   "conv3-512 conv3-512 conv3-512 conv3-512",
                   "conv3-512 conv3-512 conv3-512 conv3-512"), "144"),
}  # fmt: skip
START = (
  "with it only A starts to train, and lends its layers to the others (section 3.1); "
  "net.weight_init=paper has it"
)
HEAD = (("hidden1", "FC-4096"), ("hidden2", "FC-4096"), ("head", "FC-1000"))

# Net -> the net of the paper that it is a variant of.
DERIVED = {f"{net}_bn": net for net in ("vgg11", "vgg13", "vgg16_c", "vgg16", "vgg19")}


def rows() -> list[Row]:
  """All of the family."""
  tables = [row for net in TABLES for row in _column(net)]
  return [*tables, *_kernels(), *_quoted(), *_normalised(), *_torchvision()]


def _column(net: str) -> list[Row]:
  """A configuration."""
  depth, stages, parameters = TABLES[net]
  return [
    Row(net, f"{PAPER}, table 1", "weight layers", depth, measures.depth),
    *(
      Row(net, f"{PAPER}, table 1", f"block {i}", cell, _block(f"stage{i}"))
      for i, cell in enumerate(stages, start=1)
    ),
    *(Row(net, f"{PAPER}, table 1", layer, cell, _linear(layer)) for layer, cell in HEAD),
    Row(net, f"{PAPER}, table 2", "parameters, in millions", parameters, measures.total, "M"),
    Row(net, f"{PAPER}, section 2.1", "image", "224x224x3", measures.image),
    Row(net, f"{PAPER}, section 2.1", "max-pooling layers", "5 of 2x2, stride 2", _pools),
    Row(net, f"{PAPER}, section 3.1", "net.dropout", "0.5", axis("dropout")),
    Row(net, f"{PAPER}, section 3.1", "net.weight_init", "Gaussian, variance 0.01",
        axis("weight_init"), found="he", because=START),
  ]  # fmt: skip


def _kernels() -> list[Row]:
  """Section 2.3: three 3x3 convolutions against one of 7x7, both of C channels."""
  place = f"{PAPER}, section 2.3"
  return [
    Row("vgg16", place, "weights of three 3x3 layers of C channels", "27C^2", _printed(_small)),
    Row("vgg16", place, "weights of one 7x7 layer of C channels", "49C^2", _printed(_large)),
    Row("vgg16", place, "how many more those are", "81%", _more),
  ]


def _quoted() -> list[Row]:
  return [
    Row("vgg16", f"{RESNET}, section 4.1", "FLOPs", "15.3 billion", measures.macs,
        found="15.47 billion",
        because="15.3 are the convolutions alone; VGG-19's 19.6 next to it are all layers"),
    Row("vgg16", f"{RESNET}, section 4.1", "FLOPs of the convolutions", "15.3 billion",
        measures.convolution_macs),
    Row("vgg19", f"{RESNET}, sections 3.3 and 4.1", "FLOPs", "19.6 billion", measures.macs),
  ]  # fmt: skip


def _normalised() -> list[Row]:
  because = "batch normalisation is younger than the paper; as in torchvision, biases stay"
  return [
    Row(net, f"{PAPER}, section 2.1", "net.norm", "none", axis("norm"), found="batch",
        because=because)
    for net in DERIVED
  ]  # fmt: skip


def _torchvision() -> list[Row]:
  return [
    *torchvision("vgg11", "VGG11_Weights", "132863336", "7.609"),
    *torchvision("vgg13", "VGG13_Weights", "133047848", "11.308"),
    *torchvision("vgg16", "VGG16_Weights", "138357544", "15.47"),
    *torchvision("vgg19", "VGG19_Weights", "143667240", "19.632"),
    *torchvision("vgg11_bn", "VGG11_BN_Weights", "132868840", "7.609"),
    *torchvision("vgg13_bn", "VGG13_BN_Weights", "133053736", "11.308"),
    *torchvision("vgg16_bn", "VGG16_BN_Weights", "138365992", "15.47"),
    *torchvision("vgg19_bn", "VGG19_BN_Weights", "143678248", "19.632"),
  ]


def _block(stage: str) -> measures.Measure:
  """The layers between two poolings, in the words of table 1: "conv3-64 LRN"."""

  def measure(net: str) -> str:
    words = []
    for layer in measures.layers(net, stage):
      if layer.op.startswith("conv"):
        side = measures.kernel(layer.name)(net).partition("x")[0]
        words.append(f"conv{side}-{layer.shape[-1]}")
      elif layer.op.startswith("response norm"):
        words.append("LRN")
    return " ".join(words)

  return measure


def _linear(layer: str) -> measures.Measure:
  return lambda net: f"FC-{measures.channels(layer)(net)}"


def _pools(net: str) -> str:
  pools = [x.op.removeprefix("max pool ") for x in measures.layers(net) if "max pool" in x.op]
  return f"{len(pools)} of {' or '.join(sorted(set(pools)))}".replace("/", ", stride ")


def _squares(net: str, **fields) -> float:
  """Weights of the last stage's convolutions in squares of its channels, biases left out."""
  built, side = nets.build(net, **fields), measures.side(net)
  params, _ = jax.eval_shape(lambda: built.init(jax.random.key(0), (1, side, side, 3)))
  shapes = [layer["kernel"].shape for layer in params["stage5"].values()]
  return sum(math.prod(shape) for shape in shapes) / shapes[-1][-1] ** 2


def _small(net: str) -> float:
  return _squares(net)


def _large(net: str) -> float:
  return _squares(net, units=(1, 1, 1, 1, 1), kernel=7)


def _printed(squares: measures.Measure) -> measures.Measure:
  return lambda net: f"{squares(net):g}C^2"


def _more(net: str) -> float:
  return 100 * (_large(net) / _small(net) - 1)
