"""The nets in plain PyTorch, as quick and as plain as their papers' figures.

Layers carry the names that they have in `jaxnets.nets`, so that weights go from one to the other;
images are [batch, channels, height, width]. Kernels start from He's distribution. No JAX here.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

UNITS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}  # in each stage, He et al. 2015, table 1


def build(name: str, size: int, classes: int, **fields) -> nn.Module:
  """The net called `name` for square images of `size` px; `fields` are those of its function."""
  net = NETS[name](size, classes, **fields)
  for layer in net.modules():
    if isinstance(layer, nn.Conv2d | nn.Linear):
      nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
      if layer.bias is not None:
        nn.init.zeros_(layer.bias)
  return net


def resnet18(size: int, classes: int) -> nn.Module:
  """He et al. 2015, table 1, with option B where the shape changes."""
  return ResNet(BasicUnit, UNITS[18], (64, 128, 256, 512), classes)


def resnet50(size: int, classes: int) -> nn.Module:
  """He et al. 2015, table 1; the stride is on the 3x3 convolution ("v1.5")."""
  return ResNet(BottleneckUnit, UNITS[50], (256, 512, 1024, 2048), classes)


def cifar_resnet(size: int, classes: int, depth: int = 20) -> nn.Module:
  """He et al. 2015, section 4.2: three stages of basic units with option A."""
  return ResNet(BasicUnit, ((depth - 2) // 6,) * 3, (16, 32, 64), classes, small=True)


def cifar_resnet110(size: int, classes: int) -> nn.Module:
  """The same with 110 layers."""
  return cifar_resnet(size, classes, depth=110)


def alexnet(size: int, classes: int) -> nn.Module:
  """Krizhevsky et al. 2012: two groups for its two GPUs, and local response normalisation."""
  return AlexNet((96, 256, 384, 384, 256), size, classes, groups=2, lrn=True)


def alexnet_owt(size: int, classes: int) -> nn.Module:
  """Krizhevsky 2014 (1404.5997): one tower; as in torchvision."""
  widths = (64, 192, 384, 256, 256)
  return AlexNet(widths, size, classes, padding=2, dropout_first=True)


def vgg16(size: int, classes: int) -> nn.Module:
  """Simonyan and Zisserman 2014, table 1, configuration D."""
  return VGG((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), size, classes)


def googlenet_bn(size: int, classes: int) -> nn.Module:
  """Szegedy et al. 2014, table 1, batch norm after every convolution; no auxiliary heads."""
  return GoogLeNet(classes)


def mlp(size: int, classes: int, hidden: int = 512) -> nn.Module:
  """Two hidden layers."""
  return MLP(3 * size * size, hidden, classes)


NETS: dict[str, Callable[..., nn.Module]] = {
  "cifar_resnet20": cifar_resnet,
  "cifar_resnet110": cifar_resnet110,
  "resnet18": resnet18,
  "resnet50": resnet50,
  "vgg16": vgg16,
  "googlenet_bn": googlenet_bn,
  "alexnet": alexnet,
  "alexnet_owt": alexnet_owt,
  "mlp": mlp,
}


def relu(x: torch.Tensor) -> torch.Tensor:
  return functional.relu(x, inplace=True)


class ResNet(nn.Module):
  """Stem, stages of units, global average, linear layer."""

  def __init__(self, unit, units: Sequence[int], widths: Sequence[int], classes: int, small=False):
    super().__init__()
    channels = 16 if small else 64
    kernel, stride = (3, 1) if small else (7, 2)
    self.small = small
    self.stem = nn.Conv2d(3, channels, kernel, stride, kernel // 2, bias=False)
    self.stem_norm = nn.BatchNorm2d(channels)
    self.stages = []
    for s, (repeats, width) in enumerate(zip(units, widths, strict=True), start=1):
      stage = nn.Sequential()
      for u in range(1, repeats + 1):
        stride = 2 if s > 1 and u == 1 else 1
        stage.add_module(f"unit{u}", unit(channels, width, stride, projects=not small))
        channels = width
      self.add_module(f"stage{s}", stage)
      self.stages.append(f"stage{s}")
    self.head = nn.Linear(channels, classes)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    x = relu(self.stem_norm(self.stem(x)))
    if not self.small:
      x = functional.max_pool2d(x, 3, 2, 1)
    for stage in self.stages:
      x = getattr(self, stage)(x)
    return self.head(x.mean((2, 3)))


class Shortcut(nn.Module):
  """What units share: the input in the shape of the output, options A and B of section 3.3."""

  def __init__(self, channels: int, out: int, stride: int, projects: bool):
    super().__init__()
    self.stride, self.extra = stride, out - channels
    self.projection = None
    if projects and (stride > 1 or self.extra):
      self.projection = nn.Conv2d(channels, out, 1, stride, bias=False)
      self.projection_norm = nn.BatchNorm2d(out)

  def skip(self, x: torch.Tensor) -> torch.Tensor:
    if self.projection is not None:
      return self.projection_norm(self.projection(x))
    if self.stride > 1:
      x = x[:, :, :: self.stride, :: self.stride]
    return functional.pad(x, (0, 0, 0, 0, 0, self.extra)) if self.extra else x


class BasicUnit(Shortcut):
  """Two 3x3 convolutions, figure 5 left."""

  def __init__(self, channels: int, out: int, stride: int, projects: bool):
    super().__init__(channels, out, stride, projects)
    self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
    self.norm1 = nn.BatchNorm2d(out)
    self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
    self.norm2 = nn.BatchNorm2d(out)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    y = relu(self.norm1(self.conv1(x)))
    y = self.norm2(self.conv2(y))
    return relu(y + self.skip(x))


class BottleneckUnit(Shortcut):
  """1x1, 3x3 and 1x1 convolutions, figure 5 right."""

  def __init__(self, channels: int, out: int, stride: int, projects: bool):
    super().__init__(channels, out, stride, projects)
    inner = out // 4
    self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
    self.norm1 = nn.BatchNorm2d(inner)
    self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
    self.norm2 = nn.BatchNorm2d(inner)
    self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
    self.norm3 = nn.BatchNorm2d(out)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    y = relu(self.norm1(self.conv1(x)))
    y = relu(self.norm2(self.conv2(y)))
    y = self.norm3(self.conv3(y))
    return relu(y + self.skip(x))


class AlexNet(nn.Module):
  """Five convolutions, three linear layers, section 3.5; pooling overlaps."""

  def __init__(self, widths, size, classes, *, groups=1, lrn=False, padding=0, dropout_first=False):
    super().__init__()
    one, two, three, four, five = widths
    self.conv1 = nn.Conv2d(3, one, 11, 4, padding)
    self.conv2 = nn.Conv2d(one, two, 5, 1, 2, groups=groups)
    self.conv3 = nn.Conv2d(two, three, 3, 1, 1)
    self.conv4 = nn.Conv2d(three, four, 3, 1, 1, groups=groups)
    self.conv5 = nn.Conv2d(four, five, 3, 1, 1, groups=groups)
    # PyTorch divides alpha by the five channels, the paper does not.
    self.lrn = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0) if lrn else nn.Identity()
    side = (size + 2 * padding - 11) // 4 + 1
    for _ in range(3):
      side = (side - 3) // 2 + 1
    self.dropout_first = dropout_first
    self.hidden1 = nn.Linear(five * side * side, 4096)
    self.hidden2 = nn.Linear(4096, 4096)
    self.head = nn.Linear(4096, classes)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    x = functional.max_pool2d(self.lrn(relu(self.conv1(x))), 3, 2)
    x = functional.max_pool2d(self.lrn(relu(self.conv2(x))), 3, 2)
    x = relu(self.conv4(relu(self.conv3(x))))
    x = functional.max_pool2d(relu(self.conv5(x)), 3, 2).flatten(1)
    for layer in (self.hidden1, self.hidden2):
      if self.dropout_first:
        x = relu(layer(functional.dropout(x, 0.5, self.training)))
      else:
        x = functional.dropout(relu(layer(x)), 0.5, self.training)
    return self.head(x)


class VGG(nn.Module):
  """Stages of 3x3 convolutions with a pooling after each, three linear layers."""

  def __init__(self, units: Sequence[int], widths: Sequence[int], size: int, classes: int):
    super().__init__()
    self.stages, channels = [], 3
    for s, (repeats, width) in enumerate(zip(units, widths, strict=True), start=1):
      stage = nn.ModuleDict()
      for i in range(1, repeats + 1):
        stage[f"conv{i}"] = nn.Conv2d(channels, width, 3, 1, 1)
        channels = width
      self.add_module(f"stage{s}", stage)
      self.stages.append(f"stage{s}")
    self.hidden1 = nn.Linear(channels * (size // 2 ** len(units)) ** 2, 4096)
    self.hidden2 = nn.Linear(4096, 4096)
    self.head = nn.Linear(4096, classes)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    for stage in self.stages:
      for conv in getattr(self, stage).values():
        x = relu(conv(x))
      x = functional.max_pool2d(x, 2)
    x = x.flatten(1)
    for layer in (self.hidden1, self.hidden2):
      x = functional.dropout(relu(layer(x)), 0.5, self.training)
    return self.head(x)


def layer(channels: int, features: int, kernel: int, stride: int = 1) -> dict[str, nn.Module]:
  """GoogLeNet's convolution and the norm after it."""
  conv = nn.Conv2d(channels, features, kernel, stride, kernel // 2, bias=False)
  return {"": conv, "_norm": nn.BatchNorm2d(features)}


class Layers(nn.Module):
  """A module of layers by name, each a convolution, a norm and a ReLU."""

  def add(self, name: str, channels: int, features: int, kernel: int, stride: int = 1) -> None:
    for suffix, part in layer(channels, features, kernel, stride).items():
      self.add_module(name + suffix, part)

  def run(self, name: str, x: torch.Tensor) -> torch.Tensor:
    return relu(getattr(self, f"{name}_norm")(getattr(self, name)(x)))


class Inception(Layers):
  """Four branches side by side, figure 2b; the numbers are a row of table 1."""

  def __init__(self, channels: int, row: Sequence[int]):
    super().__init__()
    one, three_reduce, three, five_reduce, five, pool = row
    self.add("1x1", channels, one, 1)
    self.add("3x3_reduce", channels, three_reduce, 1)
    self.add("3x3", three_reduce, three, 3)
    self.add("5x5_reduce", channels, five_reduce, 1)
    self.add("5x5", five_reduce, five, 5)
    self.add("pool_projection", channels, pool, 1)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    three = self.run("3x3", self.run("3x3_reduce", x))
    five = self.run("5x5", self.run("5x5_reduce", x))
    pool = self.run("pool_projection", functional.max_pool2d(x, 3, 1, 1))
    return torch.cat((self.run("1x1", x), three, five, pool), 1)


# Channels of the modules, table 1's columns.
INCEPTIONS = {
  "3a": (64, 96, 128, 16, 32, 32),
  "3b": (128, 128, 192, 32, 96, 64),
  "4a": (192, 96, 208, 16, 48, 64),
  "4b": (160, 112, 224, 24, 64, 64),
  "4c": (128, 128, 256, 24, 64, 64),
  "4d": (112, 144, 288, 32, 64, 64),
  "4e": (256, 160, 320, 32, 128, 128),
  "5a": (256, 160, 320, 32, 128, 128),
  "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(Layers):
  """Table 1 down to the classifier."""

  def __init__(self, classes: int):
    super().__init__()
    self.add("conv1", 3, 64, 7, 2)
    self.add("conv2_reduce", 64, 64, 1)
    self.add("conv2", 64, 192, 3)
    channels = 192
    for name, row in INCEPTIONS.items():
      self.add_module(f"inception{name}", Inception(channels, row))
      channels = row[0] + row[2] + row[4] + row[5]
    self.head = nn.Linear(channels, classes)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    x = functional.max_pool2d(self.run("conv1", x), 3, 2, ceil_mode=True)
    x = self.run("conv2", self.run("conv2_reduce", x))
    x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
    for name in INCEPTIONS:
      if name in ("4a", "5a"):
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
      x = getattr(self, f"inception{name}")(x)
    return self.head(functional.dropout(x.mean((2, 3)), 0.4, self.training))


class MLP(nn.Module):
  """Linear layers on the flattened image."""

  def __init__(self, inputs: int, hidden: int, classes: int):
    super().__init__()
    self.hidden1 = nn.Linear(inputs, hidden)
    self.hidden2 = nn.Linear(hidden, hidden)
    self.head = nn.Linear(hidden, classes)

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    x = x.flatten(1)
    return self.head(relu(self.hidden2(relu(self.hidden1(x)))))
