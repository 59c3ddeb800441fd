"""AlexNet, Krizhevsky et al. 2012, and what torchvision and Caffe made of it.

The paper's layers fc6, fc7 and fc8 are called hidden1, hidden2 and head here.
"""

import inspect
import math

from jaxnets.cost.ledger import measures
from jaxnets.cost.ledger.measures import axis
from jaxnets.cost.ledger.row import Row, torchvision
from jaxnets.nets import alexnet as architecture

PAPER = "Krizhevsky et al. 2012"
ONE_WEIRD_TRICK = "Krizhevsky 2014 (1404.5997)"
CAFFE = "Caffe, models/bvlc_alexnet"
TORCHVISION = "torchvision, models/alexnet.py"

# Net -> the net of the paper that it is a variant of.
DERIVED = {"alexnet_ungrouped": "alexnet", "alexnet_owt": "alexnet"}

# Layer; kernels and their size, section 3.5; neurons, figure 2; starting bias, section 5.
LAYERS = (
  ("conv1", "96", "11x11x3", "253,440", "0"),
  ("conv2", "256", "5x5x48", "186,624", "1"),
  ("conv3", "384", "3x3x256", "64,896", "0"),
  ("conv4", "384", "3x3x192", "64,896", "1"),
  ("conv5", "256", "3x3x192", "43,264", "1"),
  ("hidden1", "4096", "", "4096", "1"),
  ("hidden2", "4096", "", "4096", "1"),
  ("head", "1000", "", "1000", "0"),
)
SIDE = "55x55 maps after conv1 need 227 px: 224 px do not divide into windows of 11 at stride 4"
NEURONS = {"conv1": ("290,400", "55x55 maps of 96 kernels; 253,440 are 55x48x96")}


def rows() -> list[Row]:
  """All of the family."""
  return [*_layers(), *_facts(), *_caffe(), *_ungrouped(), *_one_tower()]


def _layers() -> list[Row]:
  net, place = "alexnet", f"{PAPER}, section 3.5"
  found = []
  for layer, kernels, size, neurons, bias in LAYERS:
    what, values = "kernels" if size else "units", NEURONS.get(layer, ())
    found += [
      Row(net, place, f"{layer}: {what}", kernels, measures.channels(layer)),
      *([Row(net, place, f"{layer}: size of a kernel", size, measures.kernel(layer))] if size
        else []),
      Row(net, f"{PAPER}, figure 2", f"{layer}: neurons", neurons, measures.neurons(layer), "",
          *values),
      Row(net, f"{PAPER}, section 5", f"{layer}: biases at the start", bias,
          measures.starting_bias(layer)),
    ]  # fmt: skip
  return found


def _facts() -> list[Row]:
  def row(place: str, cell: str, paper: str, ours: measures.Measure, found="", because="") -> Row:
    source = f"{PAPER}, {place}"
    return Row("alexnet", source, cell, paper, ours, found=found, because=because)

  return [
    row("abstract", "parameters", "60 million", measures.total, "60,965,224",
        "nearer to 61 million: the paper leaves out the digits after the 60"),
    row("abstract", "neurons", "650,000", _neurons, "659,272",
        "about 650,000; the paper's own figures for the layers add up to 622,312"),
    row("abstract", "convolutional layers", "five", _count("conv")),
    row("abstract", "fully-connected layers", "three", _count("dense")),
    row("section 3.5", "image", "224x224x3", measures.image, "227x227x3", SIDE),
    row("figure 2", "dimensions of the input", "150,528", _input, "154,587", SIDE),
    row("section 3.5", "conv1: stride", "4", _stride("conv1")),
    row("section 3.5", "layers on the maps of one GPU only", "conv2, conv4, conv5", _grouped),
    row("section 3.5", "layers that are response-normalised", "conv1, conv2",
        _followed_by("response norm")),
    row("section 3.5", "layers that are max-pooled", "conv1, conv2, conv5",
        _followed_by("max pool")),
    row("section 3.4", "pooling: stride, window", "s = 2, z = 3", _pooling),
    row("section 3.5", "net.activation", "relu", axis("activation")),
    row("section 3.3", "response norm: k", "2", constant("k")),
    row("section 3.3", "response norm: n", "5", constant("n")),
    row("section 3.3", "response norm: alpha", "0.0001", constant("alpha")),
    row("section 3.3", "response norm: beta", "0.75", constant("beta")),
    row("section 4.2", "net.dropout", "0.5", axis("dropout")),
    row("section 4.2", "net.dropout_place", "after", axis("dropout_place")),
    row("section 5", "conv1: standard deviation of weights at the start", "0.01",
        measures.starting_deviation("conv1")),
    row("section 5", "hidden1: standard deviation of weights at the start", "0.01",
        measures.starting_deviation("hidden1")),
  ]  # fmt: skip


def _caffe() -> list[Row]:
  start = "as in the paper; net.weight_init=caffe starts from biases of 0.1"
  net, place = "alexnet", f"{CAFFE}, train_val.prototxt"
  return [
    *(
      Row(net, f"{CAFFE}, readme.md", f"{layer}: biases at the start", "0.1",
          measures.starting_bias(layer), found="1", because=start)
      for layer, *_, bias in LAYERS
      if bias == "1"
    ),
    Row(net, place, "crop_size", "227", measures.side),
    Row(net, place, "lrn_param: local_size", "5", constant("n")),
    Row(net, place, "lrn_param: alpha", "0.0001", _caffes_alpha, found="0.0005",
        because="Caffe divides alpha by n = 5, the paper does not: its 0.0001 is Caffe's 0.0005"),
    Row(net, place, "lrn_param: beta", "0.75", constant("beta")),
    Row(net, "Caffe, caffe.proto", "LRNParameter: k", "1", constant("k"), found="2",
        because="k is 2 in the paper; Caffe's net leaves its default"),
    Row(net, place, "fc6: standard deviation of weights at the start", "0.005",
        measures.starting_deviation("hidden1"), found="0.01",
        because="0.01 in every layer of the paper"),
  ]  # fmt: skip


def _ungrouped() -> list[Row]:
  net, one = "alexnet_ungrouped", "both halves of the maps are seen, as on one GPU"
  return [
    Row(net, f"{PAPER}, section 3.5", "net.groups", "2", axis("groups"), found="1",
        because=one),
    Row(net, f"{PAPER}, section 3.5", "conv2: size of a kernel", "5x5x48",
        measures.kernel("conv2"), found="5x5x96", because=one),
    Row(net, f"{PAPER}, abstract", "parameters", "60 million", measures.total, found="62,378,344",
        because="1.4 million weights more in conv2, conv4 and conv5, which see both halves"),
  ]  # fmt: skip


def _one_tower() -> list[Row]:
  net = "alexnet_owt"
  tower = "the single tower of 2014 (1404.5997), as in torchvision"
  old = f"{PAPER}, section 3.5"
  return [
    *torchvision(net, "AlexNet_Weights", "61100840", "0.714"),
    Row(net, TORCHVISION, "net.widths", "64-192-384-256-256", axis("widths")),
    Row(net, f"{ONE_WEIRD_TRICK}, page 5", "net.widths", "64-192-384-384-256", axis("widths"),
        found="64-192-384-256-256",
        because="256 in conv4, as in torchvision and in the author's cuda-convnet2 "
                "(pytorch/vision pull request 704)"),
    Row(net, old, "net.widths", "96-256-384-384-256", axis("widths"),
        found="64-192-384-256-256", because=tower),
    Row(net, old, "net.groups", "2", axis("groups"), found="1", because=tower),
    Row(net, old, "net.lrn", "yes", axis("lrn"), found="no", because=tower),
    Row(net, f"{PAPER}, section 4.2", "net.dropout_place", "after",
        axis("dropout_place"), found="before",
        because="as in torchvision (pytorch/vision issue 549)"),
    Row(net, TORCHVISION, "net.stem_padding", "2", axis("stem_padding")),
    Row(net, old, "image", "224x224x3", measures.image),
    Row(net, old, "conv1: output", "55x55x96", measures.shape("conv1"), found="55x55x64",
        because=tower),
    Row(net, f"{PAPER}, section 5", "net.weight_init", "Gaussian, deviation 0.01",
        axis("weight_init"), found="he",
        because="no paper says how this net starts; torchvision leaves it to its framework"),
  ]  # fmt: skip


def constant(name: str) -> measures.Measure:
  """A constant of response normalisation, which the nets take as it is."""
  return lambda net: f"{_constant(name):g}"


def _constant(name: str) -> float:
  operation = architecture.kernels.local_response_norm
  return inspect.signature(operation).parameters[name].default


def _caffes_alpha(net: str) -> str:
  """What Caffe's alpha had to be for our operation."""
  return f"{_constant('alpha') * _constant('n'):g}"


def _neurons(net: str) -> int:
  return sum(math.prod(layer.shape) for layer in measures.weighted(net))


def _input(net: str) -> int:
  return math.prod(map(int, measures.image(net).split("x")))


def _count(op: str) -> measures.Measure:
  words = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
  return lambda net: words[sum(layer.op.startswith(op) for layer in measures.layers(net))]


def _stride(layer: str) -> measures.Measure:
  return lambda net: measures.window(layer)(net).partition("/")[2]


def _grouped(net: str) -> str:
  return ", ".join(layer.name for layer in measures.layers(net) if "groups" in layer.op)


def _followed_by(op: str) -> measures.Measure:
  """The convolutions before the layers of a kind."""

  def measure(net: str) -> str:
    found, convolution = [], ""
    for layer in measures.layers(net):
      if layer.op.startswith("conv"):
        convolution = layer.name
      elif layer.op.startswith(op):
        found.append(convolution)
    return ", ".join(found)

  return measure


def _pooling(net: str) -> str:
  """The one manner of all pooling layers."""
  pools = (x.name for x in measures.layers(net) if x.op.startswith("max pool"))
  windows = {measures.window(name)(net) for name in pools}
  return "; ".join(f"s = {w.split('/')[1]}, z = {w.split('x')[0]}" for w in sorted(windows))
