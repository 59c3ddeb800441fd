"""Residual nets, He et al. 2015 (1512.03385): table 1, section 4.2 and table 6, and torchvision's.

The nets of the paper are those with its shortcuts (option A in table 2, B in 50 and more layers)
and, of bottleneck units, with the stride on the first convolution.
"""

from jaxnets.cost.ledger import measures
from jaxnets.cost.ledger.measures import axis
from jaxnets.cost.ledger.row import Row, torchvision

PAPER = "He et al. 2015"
TABLE = f"{PAPER}, table 1"
DEPTHS = (18, 34, 50, 101, 152)

# Table 1, by depth: conv2_x to conv5_x, FLOPs.
STAGES = {
  18: ("[3x3, 64; 3x3, 64] x2", "[3x3, 128; 3x3, 128] x2", "[3x3, 256; 3x3, 256] x2",
       "[3x3, 512; 3x3, 512] x2", "1.8x10^9"),
  34: ("[3x3, 64; 3x3, 64] x3", "[3x3, 128; 3x3, 128] x4", "[3x3, 256; 3x3, 256] x6",
       "[3x3, 512; 3x3, 512] x3", "3.6x10^9"),
  50: ("[1x1, 64; 3x3, 64; 1x1, 256] x3", "[1x1, 128; 3x3, 128; 1x1, 512] x4",
       "[1x1, 256; 3x3, 256; 1x1, 1024] x6", "[1x1, 512; 3x3, 512; 1x1, 2048] x3", "3.8x10^9"),
  101: ("[1x1, 64; 3x3, 64; 1x1, 256] x3", "[1x1, 128; 3x3, 128; 1x1, 512] x4",
        "[1x1, 256; 3x3, 256; 1x1, 1024] x23", "[1x1, 512; 3x3, 512; 1x1, 2048] x3", "7.6x10^9"),
  152: ("[1x1, 64; 3x3, 64; 1x1, 256] x3", "[1x1, 128; 3x3, 128; 1x1, 512] x8",
        "[1x1, 256; 3x3, 256; 1x1, 1024] x36", "[1x1, 512; 3x3, 512; 1x1, 2048] x3", "11.3x10^9"),
}  # fmt: skip
SIZES = ("56x56", "28x28", "14x14", "7x7")
# Table 6.
CIFAR = {20: "0.27M", 32: "0.46M", 44: "0.66M", 56: "0.85M", 110: "1.7M", 1202: "19.4M"}
# Section 4.2, by output map size: layers, filters.
MAPS = (("32x32", "1+2n", "16"), ("16x16", "2n", "32"), ("8x8", "2n", "64"))

STRIDE = "v1.5: stride on the 3x3, as in torchvision (pytorch/vision issue 191); _v1 is the paper's"


def published(depth: int) -> str:
  """The net of the paper with so many layers."""
  return f"resnet{depth}_a" if depth < 50 else f"resnet{depth}_v1"


# Net -> the net of the paper that it is a variant of.
DERIVED = {
  **{
    net: published(depth)
    for depth in DEPTHS
    for net in (f"resnet{depth}", f"resnet{depth}_a", f"resnet{depth}_c", f"plain{depth}")
    if net != published(depth)
  },
  **{
    net: f"cifar_resnet{depth}"
    for depth in CIFAR
    for net in (f"cifar_resnet{depth}_b", f"cifar_resnet{depth}_c", f"cifar_plain{depth}")
  },
}


def rows() -> list[Row]:
  """All of the family."""
  return [
    *(row for depth in DEPTHS for row in _imagenet(published(depth), depth)),
    *(row for depth in (18, 34) for row in _imagenet(f"plain{depth}", depth)),
    *(row for depth in CIFAR for row in _cifar(f"cifar_resnet{depth}", depth)),
    *(row for depth in (20, 32, 44, 56) for row in _cifar(f"cifar_plain{depth}", depth)),
    *_plain_quoted(),
    *_shortcuts(),
    *_strides(),
    *_torchvision(),
  ]


def _imagenet(net: str, depth: int) -> list[Row]:
  """A column of table 1."""
  *stages, flops = STAGES[depth]
  cut = "3.858: cut, while the 7.6 and 11.3 beside it are rounded (7.570 and 11.282)"
  rows = [
    Row(net, TABLE, "layers", str(depth), measures.depth),
    Row(net, TABLE, "conv1", "7x7, 64, stride 2", _stem),
    Row(net, TABLE, "conv1: output size", "112x112", _side("stem")),
    Row(net, TABLE, "conv2_x: max pool", "3x3, stride 2", _pooling),
  ]
  for i, (units, size) in enumerate(zip(stages, SIZES, strict=True), start=1):
    rows += [
      Row(net, TABLE, f"conv{i + 1}_x", units, _units(f"stage{i}")),
      Row(net, TABLE, f"conv{i + 1}_x: output size", size, _side(f"stage{i}")),
    ]
  return [
    *rows,
    Row(net, TABLE, "fc", "1000-d", lambda net: f"{measures.channels('head')(net)}-d"),
    Row(net, TABLE, "FLOPs", flops, measures.macs, found="3.858x10^9" if depth == 50 else "",
        because=cut if depth == 50 else ""),
  ]  # fmt: skip


def _cifar(net: str, depth: int) -> list[Row]:
  """Section 4.2 and a line of table 6; plain nets have the same layers and parameters."""
  n, place = (depth - 2) // 6, f"{PAPER}, section 4.2"
  rows = [Row(net, place, f"layers, n = {n}", "6n+2", _in_n(n, measures.depth))]
  for i, (size, count, filters) in enumerate(MAPS, start=1):
    groups = ("stem", "stage1") if i == 1 else (f"stage{i}",)
    rows += [
      Row(net, place, f"output map size {i}", size, _side(f"stage{i}")),
      Row(net, place, f"layers on maps of {size}, n = {n}", count, _in_n(n, _layers(*groups))),
      Row(net, place, f"filters on maps of {size}", filters, _filters(*groups)),
    ]
  return [*rows, Row(net, f"{PAPER}, table 6", "parameters", CIFAR[depth], measures.total)]


def _plain_quoted() -> list[Row]:
  place = f"{PAPER}, section 3.3"
  return [
    Row("plain34", place, "FLOPs", "3.6 billion", measures.macs),
    Row("plain34", place, "share of VGG-19's FLOPs", "18%", _share_of_vgg19, found="18.6%",
        because="the paper divides its rounded 3.6 by 19.6"),
    Row("resnet152_v1", f"{PAPER}, section 4.1", "FLOPs", "11.3 billion", measures.macs),
  ]  # fmt: skip


def _shortcuts() -> list[Row]:
  """The shortcuts of the paper's nets, and why others have others."""
  control, plain = "a control, as in table 3 at depth 34", "the plain control: no shortcuts at all"

  def row(net: str, place: str, paper: str, found: str = "", because: str = "") -> Row:
    source = f"{PAPER}, {place}"
    return Row(net, source, "net.shortcut", paper, axis("shortcut"), "", found, because)

  rows = [
    row("resnet18_a", "table 2", "A"),
    row("resnet34_a", "table 2", "A"),
    row("resnet18", "table 2", "A", "B", "as in torchvision and in the paper's deeper nets"),
    row("resnet34", "table 3", "B"),
    row("resnet18_c", "table 2", "A", "C", control),
    row("resnet34_c", "table 3", "C"),
    *(row(f"plain{depth}", "table 2", "A", "none", plain) for depth in (18, 34)),
  ]
  for depth in (50, 101, 152):
    rows += [
      row(f"resnet{depth}_v1", "table 3", "B"),
      row(f"resnet{depth}_a", "table 3", "B", "A", control),
      row(f"resnet{depth}_c", "table 3", "B", "C", control),
      row(f"plain{depth}", "table 3", "B", "none", plain),
    ]
  for depth in CIFAR:
    rows += [
      row(f"cifar_resnet{depth}", "section 4.2", "A"),
      row(f"cifar_resnet{depth}_b", "section 4.2", "A", "B", control),
      row(f"cifar_resnet{depth}_c", "section 4.2", "A", "C", control),
      row(f"cifar_plain{depth}", "section 4.2", "A", "none", plain),
    ]
  return rows


def _strides() -> list[Row]:
  """Where a bottleneck unit halves its maps."""
  ours = {50: "4.089x10^9", 101: "7.801x10^9", 152: "11.514x10^9"}
  rows = []
  for depth, flops in ours.items():
    place = f"KaimingHe/deep-residual-networks, ResNet-{depth}-deploy.prototxt"
    stride = axis("stride_first")
    rows.append(Row(f"resnet{depth}_v1", place, "net.stride_first", "yes", stride))
    rows += [
      Row(net, place, "net.stride_first", "yes", stride, found="no", because=STRIDE)
      for net in (f"resnet{depth}", f"resnet{depth}_a", f"resnet{depth}_c", f"plain{depth}")
    ]
    rows.append(
      Row(f"resnet{depth}", TABLE, "FLOPs", STAGES[depth][-1], measures.macs, found=flops,
          because=STRIDE)
    )  # fmt: skip
  return rows


def _torchvision() -> list[Row]:
  return [
    *torchvision("resnet18", "ResNet18_Weights", "11689512", "1.814"),
    *torchvision("resnet34", "ResNet34_Weights", "21797672", "3.664"),
    *torchvision("resnet50", "ResNet50_Weights", "25557032", "4.089"),
    *torchvision("resnet101", "ResNet101_Weights", "44549160", "7.801"),
    *torchvision("resnet152", "ResNet152_Weights", "60192808", "11.514"),
    *torchvision("resnext50_32x4d", "ResNeXt50_32X4D_Weights", "25028904", "4.23"),
    *torchvision("wide_resnet50_2", "Wide_ResNet50_2_Weights", "68883240", "11.398"),
  ]


def _stem(net: str) -> str:
  window, _, stride = measures.window("stem")(net).partition("/")
  return f"{window}, {measures.channels('stem')(net)}, stride {stride}"


def _pooling(net: str) -> str:
  return measures.window("max_pool")(net).replace("/", ", stride ")


def _side(group: str) -> measures.Measure:
  """Size of the maps that a group of layers gives."""
  return lambda net: "x".join(map(str, measures.layers(net, group)[-1].shape[1:3]))


def _units(stage: str) -> measures.Measure:
  """The units of a stage as table 1 writes them, projections left out."""

  def measure(net: str) -> str:
    units: dict[str, list[str]] = {}
    for layer in measures.convolutions(net, stage):
      unit, _, name = layer.name.rpartition("/")
      if name != "projection":
        window = measures.window(layer.name)(net).partition("/")[0]
        units.setdefault(unit, []).append(f"{window}, {layer.shape[-1]}")
    kinds = {"; ".join(unit) for unit in units.values()}
    return f"[{' or '.join(sorted(kinds))}] x{len(units)}"

  return measure


def _layers(*groups: str) -> measures.Measure:
  return lambda net: len(measures.convolutions(net, *groups))


def _filters(*groups: str) -> measures.Measure:
  """Channels of the convolutions, all the same."""

  def measure(net: str) -> str:
    widths = {layer.shape[-1] for layer in measures.convolutions(net, *groups)}
    return " or ".join(map(str, sorted(widths)))

  return measure


def _in_n(n: int, count: measures.Measure) -> measures.Measure:
  """A number of layers as the paper writes it: "1+2n", "2n", "6n+2"."""

  def measure(net: str) -> str:
    times, rest = divmod(int(count(net)), n)
    if not rest:
      return f"{times}n"
    return f"{rest}+{times}n" if rest == 1 else f"{times}n+{rest}"

  return measure


def _share_of_vgg19(net: str) -> float:
  return 100 * measures.macs(net) / measures.macs("vgg19")
