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

KERNEL = "3x3, a mistake that torchvision keeps for its weights (pytorch/vision issue 906)"
SEPARABLE = (
  "of 64 kernels of 7x7x3; a layer separable by depth, as in TF-slim's Inception-v2 (8 kernels of "
  "7x7 per colour, then 1x1: 2,712 weights), would have the row's 2.7K and 34M"
)
AGREES = "by the sizes of the row, which its {} of operations agree with"
OTHER = "by the sizes of the row; its 1072K and 54M agree, at 7x7, but are of another module"
# Our value, as `interval` reads it, and why it is not the paper's.
BECAUSE = {
  ("convolution (first)", "params"): ("9.2K", SEPARABLE),
  ("convolution (first)", "ops"): ("118M", SEPARABLE),
  ("3b", "params"): ("379.0K", "without biases, 379.6K with them, which this row seems to count"),
  ("4a", "params"): ("366.8K", "by the sizes of the row; 204 kernels of 3x3, not 208, and biases "
                               "would be 364.0K"),
  ("4a", "ops"): ("73.6M", "by the sizes of the row; 204 kernels of 3x3, not 208, would be 72.9M"),
  ("4b", "params"): ("438.0K", "by the sizes of the row; 436.6K on the 508 maps that 204 kernels "
                               "of 3x3 in 4a would leave"),
  ("4c", "params"): ("497.5K", AGREES.format("100M")),
  ("4d", "params"): ("590.5K", AGREES.format("119M")),
  ("4e", "params"): ("847.0K", AGREES.format("170M")),
  ("5a", "params"): ("1018.0K", OTHER),
  ("5a", "ops"): ("51.1M", OTHER),
  ("5b", "params"): ("1409.0K", AGREES.format("71M")),
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
    Row("googlenet_tv", TABLE, "inception (3a): #5x5, size of a kernel", "5x5x16",
        measures.kernel("inception3a/5x5"), found="3x3x16", because=KERNEL),
    *torchvision("googlenet_tv", "GoogLeNet_Weights", "6624904", "1.498"),
    # Its _ops are without the auxiliary head.
    *torchvision("inception_v3_aux", "Inception_V3_Weights", "27161264", ""),
  ]  # fmt: skip


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
    Row("googlenet", TABLE, f"{name}: {cell}", paper, ours, unit, *_reason(name, cell))
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
    Row("googlenet", TABLE, f"inception ({name}): {cell}", paper, ours, unit, *_reason(name, cell))
    for cell, paper, ours, unit in cells
  ]


def _reason(name: str, cell: str) -> tuple[str, ...]:
  """Our value and the reason that names it, if the cell has one."""
  if (name, cell) not in BECAUSE:
    return ()
  value, why = BECAUSE[name, cell]
  return value, f"{value} {why}"


def _facts() -> list[Row]:
  def row(place: str, cell: str, paper: str, ours: measures.Measure, found="", because="") -> Row:
    source = f"{PAPER}, {place}"
    return Row("googlenet", source, cell, paper, ours, found=found, because=because)

  return [
    row("table 1", "dropout", "40%", measures.percent("dropout")),
    row("section 5", "image", "224x224x3", measures.image),
    row("section 5", "layers, only those with parameters", "22", _longest()),
    row("section 5", "layers, with pooling", "27", _longest("max pool", "global average pool")),
    row("section 5", "net.activation", "relu", axis("activation")),
    row("figure 3", "net.lrn: LocalRespNorm", "yes", axis("lrn")),
    row("section 1", "multiply-adds", "1.5 billion", measures.macs, "1.583 billion",
        "the paper's rows add up to 1.50, with a first layer of 34M for 118M"),
    row("section 1", "AlexNet's parameters to GoogLeNet's", "12", _fewer, "8.7",
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
  naive = "the module of figure 2a, which the paper draws but does not use"
  wide = "the control for the reductions: modules as wide as the paper's without them"
  place = f"{PAPER}, figure 2b"
  return [
    Row("googlenet_naive", place, "net.reduction", "yes", axis("reduction"), found="no",
        because=naive),
    Row("googlenet_naive", place, "net.pool_projection", "yes", axis("pool_projection"),
        found="no", because=naive),
    Row("googlenet_unreduced", place, "net.reduction", "yes", axis("reduction"), found="no",
        because=wide),
  ]  # fmt: skip


def _normalised() -> list[Row]:
  because = "the control for torchvision's net: batch normalisation, younger than the paper, alone"
  rows = []
  for net in ("googlenet_bn", "googlenet_bn_aux"):
    rows += [
      Row(net, f"{PAPER}, section 5", "net.norm", "none", axis("norm"), found="batch",
          because=because),
      Row(net, f"{PAPER}, figure 3", "net.lrn", "yes", axis("lrn"), found="no", because=because),
    ]  # fmt: skip
  return rows


def _torchvision(net: str) -> list[Row]:
  """Where torchvision's net, ported from TensorFlow, is another than the paper's."""
  ported = "as in torchvision, whose net was ported from TensorFlow with batch normalisation"
  return [
    Row(net, TABLE, "net.large_kernel", "5", axis("large_kernel"), found="3",
        because=KERNEL),
    Row(net, f"{PAPER}, section 5", "net.norm", "none", axis("norm"), found="batch",
        because=ported),
    Row(net, TORCHVISION, "net.norm_epsilon", "0.001", axis("norm_epsilon")),
    Row(net, f"{PAPER}, figure 3", "net.lrn", "yes", axis("lrn"), found="no", because=ported),
    Row(net, TABLE, "net.dropout", "40%", measures.percent("dropout"), found="20%",
        because="20% in torchvision"),
    Row(net, TABLE, "net.last_pool_window", "3", axis("last_pool_window"), found="2",
        because="2x2 in torchvision"),
    Row(net, f"{PAPER}, section 5", "net.aux_pooling: 5x5/3", "strided", axis("aux_pooling"),
        found="adaptive",
        because="to 4x4 from any size in torchvision; at 224 px only the windows differ"),
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
