"""GoogLeNet, Szegedy et al. 2014 (1409.4842), table 1 and section 5, and torchvision's.

Table 1 counts in K of 1024 weights, without biases: 112K and 1000K are so to the last weight. Much
of its column of parameters does not follow from the layer sizes beside it, while most of its column
of operations does.
"""

from jaxnets.cost.ledger import measures
from jaxnets.cost.ledger.measures import axis
from jaxnets.cost.ledger.row import Row, torchvision

PAPER = "Szegedy et al. 2014"
TABLE = f"{PAPER}, table 1"
TORCHVISION = "torchvision, models/googlenet.py"

# Modules: output size; #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj; params, ops.
MODULES = {
  "3a": ("28x28x256", ("64", "96", "128", "16", "32", "32"), "159K", "128M"),
  "3b": ("28x28x480", ("128", "128", "192", "32", "96", "64"), "380K", "304M"),
  "4a": ("14x14x512", ("192", "96", "208", "16", "48", "64"), "364K", "73M"),
  "4b": ("14x14x512", ("160", "112", "224", "24", "64", "64"), "437K", "88M"),
  "4c": ("14x14x512", ("128", "128", "256", "24", "64", "64"), "463K", "100M"),
  "4d": ("14x14x528", ("112", "144", "288", "32", "64", "64"), "580K", "119M"),
  "4e": ("14x14x832", ("256", "160", "320", "32", "128", "128"), "840K", "170M"),
  "5a": ("7x7x832", ("256", "160", "320", "32", "128", "128"), "1072K", "54M"),
  "5b": ("7x7x1024", ("384", "192", "384", "48", "128", "128"), "1388K", "71M"),
}
COLUMNS = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_projection")
# Other rows of table 1: layers; patch size/stride, output size, depth, params, ops.
ROWS = {
  "convolution (first)": (("conv1",), "7x7/2", "112x112x64", "1", "2.7K", "34M"),
  "max pool (first)": (("max_pool",), "3x3/2", "56x56x64", "", "", ""),
  "convolution (second)": (("conv2", "conv2_reduce"), "3x3/1", "56x56x192", "2", "112K", "360M"),
  "max pool (second)": (("max_pool2",), "3x3/2", "28x28x192", "", "", ""),
  "max pool (third)": (("max_pool3",), "3x3/2", "14x14x480", "", "", ""),
  "max pool (fourth)": (("max_pool4",), "3x3/2", "7x7x832", "", "", ""),
  "avg pool": (("global_average_pool",), "", "1x1x1024", "", "", ""),
  "linear": (("head",), "", "1x1x1000", "1", "1000K", "1M"),
}

SEPARABLE = (
  "a 7x7 layer of 64 kernels has 9,408 weights; {} is what one separable by depth has (8 kernels "
  "of 7x7 a colour, then 1x1: 2,712), as Inception-v2 begins in TF-slim"
)
SIDES = "{} by the sizes of the row, and its {} of operations are these"
BECAUSE = {
  ("convolution (first)", "params"): SEPARABLE.format("2.7K"),
  ("convolution (first)", "ops"): SEPARABLE.format("34M at 112x112"),
  ("3b", "params"): "379.0K without biases, 379.6K with them: of this row they are counted",
  ("4a", "params"): "366.8K by the sizes of the row; 364K is what 204 kernels of 3x3 would have, "
                    "biases counted",
  ("4a", "ops"): "73.6M by the sizes of the row; 204 kernels of 3x3 would take 72.9M",
  ("4b", "params"): "438.0K by the sizes of the row; 436.6K on the 508 maps of a 4a with 204 "
                    "kernels of 3x3",
  ("4c", "params"): SIDES.format("497.5K", "100M"),
  ("4d", "params"): SIDES.format("590.5K", "119M"),
  ("4e", "params"): SIDES.format("847.0K", "170M"),
  ("5a", "params"): "1018.0K by the sizes of the row; with its 54M, 1072K at 7x7, they are "
                    "of another module",
  ("5a", "ops"): "51.1M by the sizes of the row; 54M are its 1072K at 7x7, of another module",
  ("5b", "params"): SIDES.format("1409.0K", "71M"),
}  # fmt: skip

# Net -> the net of the paper that it is a variant of.
DERIVED = {
  "googlenet_aux": "googlenet",
  "googlenet_bn": "googlenet",
  "googlenet_bn_aux": "googlenet_aux",
  "googlenet_tv": "googlenet",
  "googlenet_tv_aux": "googlenet_aux",
  "googlenet_naive": "googlenet",
  "googlenet_unreduced": "googlenet",
}


def rows() -> list[Row]:
  """All of the family, and of Inception-v3 what torchvision publishes."""
  return [
    *(row for name in ROWS for row in _row(name)),
    *(row for name in MODULES for row in _module(name)),
    *_facts(),
    *_auxiliary(),
    *_controls(),
    *_normalised(),
    *(row for net in ("googlenet_tv", "googlenet_tv_aux") for row in _torchvision(net)),
    *torchvision("googlenet_tv", "GoogLeNet_Weights", "6624904", "1.498"),
    # Of Inception-v3 it counts the parameters with the auxiliary head, the operations without.
    torchvision("inception_v3_aux", "Inception_V3_Weights", "27161264", "5.713")[0],
    torchvision("inception_v3", "Inception_V3_Weights", "27161264", "5.713")[1],
  ]


def _row(name: str) -> list[Row]:
  """A line of table 1 that is no module."""
  groups, patch, output, depth, params, ops = ROWS[name]
  last = groups[0]
  cells = [
    ("patch size/stride", patch, measures.window(last), ""),
    ("output size", output, measures.shape(last), ""),
    ("depth", depth, _depth(*groups), ""),
    ("params", params, _weights(*groups), "Ki"),
    ("ops", ops, _operations(*groups), ""),
  ]
  found = [
    Row("googlenet", TABLE, f"{name}: {cell}", paper, ours, unit, BECAUSE.get((name, cell), ""))
    for cell, paper, ours, unit in cells
    if paper
  ]
  if name == "convolution (second)":
    found += [
      Row("googlenet", TABLE, f"{name}: #3x3 reduce", "64", measures.channels("conv2_reduce")),
      Row("googlenet", TABLE, f"{name}: #3x3", "192", measures.channels("conv2")),
    ]
  return found


def _module(name: str) -> list[Row]:
  """A line of table 1 that is a module."""
  output, widths, params, ops = MODULES[name]
  group = f"inception{name}"
  cells = [
    ("output size", output, _concatenated(group), ""),
    ("depth", "2", _depth(group), ""),
    *(
      (f"#{column.replace('_', ' ')}", width, measures.channels(f"{group}/{column}"), "")
      for column, width in zip(COLUMNS, widths, strict=True)
    ),
    ("params", params, _weights(group), "Ki"),
    ("ops", ops, _operations(group), ""),
  ]
  return [
    Row("googlenet", TABLE, f"inception ({name}): {cell}", paper, ours, unit,
        BECAUSE.get((name, cell), ""))
    for cell, paper, ours, unit in cells
  ]  # fmt: skip


def _facts() -> list[Row]:
  def row(place: str, cell: str, paper: str, ours: measures.Measure, because: str = "") -> Row:
    return Row("googlenet", f"{PAPER}, {place}", cell, paper, ours, because=because)

  return [
    row("table 1", "dropout", "40%", measures.percent("dropout")),
    row("section 5", "image", "224x224x3", measures.image),
    row("section 5", "layers, only those with parameters", "22", _longest()),
    row("section 5", "layers, with pooling", "27", _longest("max pool", "global average pool")),
    row("section 5", "net.activation", "relu", axis("activation")),
    row("figure 3", "net.lrn: LocalRespNorm", "yes", axis("lrn")),
    row("section 1", "multiply-adds", "1.5 billion", measures.macs,
        "1.583 billion: the paper's rows add up to 1.50, with a first layer of 34M for 118M"),
    row("section 1", "AlexNet's parameters to GoogLeNet's", "12", _fewer,
        "60.97 million to 7.00; the paper's own column of parameters adds up to 6.96 million"),
  ]  # fmt: skip


def _auxiliary() -> list[Row]:
  """Section 5: the heads that are used in training."""
  net, place = "googlenet_aux", f"{PAPER}, section 5"
  heads = [
    Row(net, place, f"{head}: {cell}", paper, ours)
    for head, pooled in (("aux1_head", "4x4x512"), ("aux2_head", "4x4x528"))
    for cell, paper, ours in (
      ("average pooling", "5x5/3", measures.window(f"{head}/average_pool")),
      ("output of the average pooling", pooled, measures.shape(f"{head}/average_pool")),
      ("filters of 1x1", "128", measures.channels(f"{head}/conv")),
      ("units of the hidden layer", "1024", measures.channels(f"{head}/hidden1")),
      ("classes", "1000", measures.channels(f"{head}/head")),
    )
  ]
  return [
    *heads,
    Row(net, place, "net.aux", "yes", axis("aux")),
    Row(net, place, "net.aux_dropout", "70%", measures.percent("aux_dropout")),
    Row(net, place, "net.aux_weight", "0.3", axis("aux_weight")),
  ]


def _controls() -> list[Row]:
  naive = "the module of figure 2a, which the paper only describes"
  wide = "the control for the reductions: modules as wide as the paper's without them"
  place = f"{PAPER}, figure 2b"
  return [
    Row("googlenet_naive", place, "net.reduction", "yes", axis("reduction"), because=naive),
    Row("googlenet_naive", place, "net.pool_projection", "yes", axis("pool_projection"),
        because=naive),
    Row("googlenet_unreduced", place, "net.reduction", "yes", axis("reduction"), because=wide),
  ]  # fmt: skip


def _normalised() -> list[Row]:
  because = "the control for torchvision's net: batch normalisation, younger than the paper, alone"
  return [
    row
    for net in ("googlenet_bn", "googlenet_bn_aux")
    for row in (
      Row(net, f"{PAPER}, section 5", "net.norm", "none", axis("norm"), because=because),
      Row(net, f"{PAPER}, figure 3", "net.lrn", "yes", axis("lrn"), because=because),
    )
  ]


def _torchvision(net: str) -> list[Row]:
  """Where torchvision's net, ported from TensorFlow, is another than the paper's."""
  ported = "as in torchvision, whose net was ported from TensorFlow with batch normalisation"
  kernel = "3x3 by mistake, and too late to mend (pytorch/vision issue 906)"
  return [
    Row(net, TABLE, "inception (3a): #5x5, size of a kernel", "5x5x16",
        measures.kernel("inception3a/5x5"), because=kernel),
    Row(net, TABLE, "net.large_kernel", "5", axis("large_kernel"), because=kernel),
    Row(net, f"{PAPER}, section 5", "net.norm", "none", axis("norm"), because=ported),
    Row(net, TORCHVISION, "net.norm_epsilon", "0.001", axis("norm_epsilon")),
    Row(net, f"{PAPER}, figure 3", "net.lrn", "yes", axis("lrn"), because=ported),
    Row(net, TABLE, "net.dropout", "40%", measures.percent("dropout"),
        because="20% in torchvision"),
    Row(net, TABLE, "net.last_pool_window", "3", axis("last_pool_window"),
        because="2x2 in torchvision"),
    Row(net, f"{PAPER}, section 5", "net.aux_pooling: 5x5/3", "strided", axis("aux_pooling"),
        because="to 4x4 from any size in torchvision; the same at 224 px but for the windows"),
  ]  # fmt: skip


def _weights(*groups: str) -> measures.Measure:
  return lambda net: measures.weights_of(net, *groups)


def _operations(*groups: str) -> measures.Measure:
  return lambda net: measures.macs_of(net, *groups)


def _concatenated(group: str) -> measures.Measure:
  """What a module gives: the maps of its four branches."""
  branches = tuple(f"{group}/{c}" for c in COLUMNS if not c.endswith("reduce"))

  def measure(net: str) -> str:
    shapes = [layer.shape for layer in measures.layers(net, *branches)]
    (height, width), *others = {shape[1:3] for shape in shapes}
    if others:
      raise ValueError(f"the branches of {group} give maps of different sizes")
    return f"{height}x{width}x{sum(shape[-1] for shape in shapes)}"

  return measure


def _depth(*groups: str) -> measures.Measure:
  """Layers with weights on the longest way through a group."""

  def measure(net: str) -> int:
    ways = _ways(net, measures.WEIGHTED)
    passed = [ways[layer.value] for layer in measures.weighted(net, *groups)]
    return max(passed) - min(passed) + 1

  return measure


def _longest(*more: str) -> measures.Measure:
  """Layers with weights, and of the kinds `more`, on the longest way through the net."""
  return lambda net: max(_ways(net, (*measures.WEIGHTED, *more)).values())


def _ways(net: str, kinds: tuple[str, ...]) -> dict[int, int]:
  """Layers of some kinds on the longest way to each value of the traced net."""
  cost = measures.counted(net).cost
  counts = {layer.value for layer in cost.layers if layer.op.startswith(kinds)}
  longest: dict[int, int] = {}
  for operation in cost.program.operations:
    before = max((longest.get(number, 0) for number in operation.reads), default=0)
    longest |= {number: before + (number in counts) for number in operation.writes}
  return longest


def _fewer(net: str) -> float:
  return measures.total("alexnet") / measures.total(net)
