"""Residual networks and their plain controls as rows."""

from jaxnets.nets.tables.row import ACTIVATIONS, HEADS, NORMS, POOLINGS, STEMS, Fields, Variant

RESNET = "He et al. 2015 (1512.03385)"
PREACTIVATION = "He et al. 2016 (1603.05027)"
RESNEXT = "Xie et al. 2016 (1611.05431)"
WIDE = "Zagoruyko and Komodakis 2016 (1605.07146)"

AXES: Fields = {
  "depth": 50,
  "units": (),
  "widths": (256, 512, 1024, 2048),  # channels out of each stage
  "width": 1.0,
  "unit": "bottleneck",
  "bottleneck": 4.0,  # channels out of a unit / channels inside it
  "groups": 1,
  "kernel": 3,
  "shortcut": "B",
  "preactivation": False,
  "stride_first": False,  # v1: the stride is on the unit's first convolution; v1.5: on its 3x3
  "activation": "relu",
  "norm": "batch",
  "zero_last_scale": False,
  "stem": "imagenet",
  "stem_width": 64,
  "pooling": "max",
  "head": "gap",
  "hidden": 4096,
  "dropout": 0.0,
  "dropout_place": "head",
  "weight_init": "he",
  "remat": (),
}

CHOICES: dict[str, tuple] = {
  "unit": ("basic", "bottleneck"),
  "shortcut": ("none", "A", "B", "C"),
  "activation": ACTIVATIONS,
  "norm": NORMS,
  "stem": STEMS,
  "pooling": POOLINGS,
  "head": HEADS,
  "dropout_place": ("head", "unit"),
  "weight_init": ("he", "glorot"),
}

_BASIC = {"unit": "basic", "widths": (64, 128, 256, 512), "bottleneck": 1.0}
_CIFAR = {"unit": "basic", "widths": (16, 32, 64), "bottleneck": 1.0, "stem": "small",
          "stem_width": 16, "shortcut": "A"}  # fmt: skip
_V2 = {"preactivation": True}


def _rows() -> dict[str, Variant]:
  rows = {}
  for depth in (18, 34, 50, 101, 152):
    fields = {"depth": depth, **(_BASIC if depth < 50 else {})}
    rows[f"resnet{depth}"] = Variant("resnet", fields, paper=RESNET)
    rows[f"resnet{depth}_a"] = Variant("resnet", fields | {"shortcut": "A"}, paper=RESNET)
    rows[f"resnet{depth}_c"] = Variant("resnet", fields | {"shortcut": "C"}, paper=RESNET)
    rows[f"plain{depth}"] = Variant("resnet", fields | {"shortcut": "none"}, paper=RESNET)
    rows[f"resnet{depth}_v2"] = Variant("resnet", fields | _V2, paper=PREACTIVATION)
    if depth >= 50:
      rows[f"resnet{depth}_v1"] = Variant("resnet", fields | {"stride_first": True}, paper=RESNET)
  for depth in (20, 32, 44, 56, 110, 1202):
    for suffix, shortcut in (("", "A"), ("_b", "B"), ("_c", "C")):
      fields = {"depth": depth} | _CIFAR | {"shortcut": shortcut}
      rows[f"cifar_resnet{depth}{suffix}"] = Variant("resnet", fields, 32, 10, RESNET)
    fields = {"depth": depth} | _CIFAR
    rows[f"cifar_plain{depth}"] = Variant("resnet", fields | {"shortcut": "none"}, 32, 10, RESNET)
    rows[f"cifar_resnet{depth}_v2"] = Variant("resnet", fields | _V2, 32, 10, PREACTIVATION)
  return rows


VARIANTS: dict[str, Variant] = {
  **_rows(),
  "resnext50_32x4d": Variant("resnet", {"bottleneck": 2.0, "groups": 32}, paper=RESNEXT),
  "resnext101_32x8d": Variant(
    "resnet", {"depth": 101, "bottleneck": 1.0, "groups": 32}, paper=RESNEXT
  ),
  "wide_resnet50_2": Variant("resnet", {"bottleneck": 2.0}, paper=WIDE),
  "wide_resnet101_2": Variant("resnet", {"depth": 101, "bottleneck": 2.0}, paper=WIDE),
  # WRN-28-10 in its paper, which counts the three projections and not the last linear layer.
  "cifar_wide_resnet28_10": Variant(
    "resnet", {"depth": 26} | _CIFAR | _V2 | {"width": 10.0, "shortcut": "B"}, 32, 10, WIDE
  ),
}
