"""VGG as rows."""

from jaxnets.nets.tables.row import ACTIVATIONS, HEADS, NORMS, POOLINGS, STEMS, Fields, Variant

VGG = "Simonyan and Zisserman 2014 (1409.1556)"

AXES: Fields = {
  "depth": 16,  # 11, 13, 16 or 19; any other by `units`
  "units": (),  # convolutions in each stage
  "widths": (64, 128, 256, 512, 512),  # channels of each stage
  "width": 1.0,
  "kernel": 3,
  "shared": True,
  "pointwise_last": False,  # a stage of three or more ends in a 1x1 convolution: configuration C
  "lrn": False,  # after the first convolution: configuration A-LRN
  "activation": "relu",
  "norm": "none",  # convolutions keep their biases with any norm, as in torchvision
  "pooling": "max",
  "pool_window": 2,  # 3 overlaps, as AlexNet's; the stride is always 2
  "head": "fc",
  "hidden": 4096,
  "dropout": 0.5,
  "dropout_place": "after",  # each hidden layer
  "stem": "imagenet",  # small: pooling keeps partial windows, so that no image is too small
  "weight_init": "he",
  "remat": (),
}

CHOICES: dict[str, tuple] = {
  "activation": ACTIVATIONS,
  "norm": NORMS,
  "pooling": POOLINGS,
  "pool_window": (2, 3),
  "head": HEADS,
  "dropout_place": ("after", "before"),
  "stem": STEMS,
  # paper: N(0, variance 0.01), biases 0, with which only A trains (section 3.1); glorot is what
  # the authors found to suffice afterwards.
  "weight_init": ("paper", "glorot", "he"),
}

_CONFIGURATIONS = {
  "vgg11": {"depth": 11},
  "vgg13": {"depth": 13},
  "vgg16_c": {"depth": 16, "pointwise_last": True},
  "vgg16": {"depth": 16},
  "vgg19": {"depth": 19},
}

VARIANTS: dict[str, Variant] = {
  "vgg11_lrn": Variant("vgg", {"depth": 11, "lrn": True}, paper=VGG),
  **{name: Variant("vgg", fields, paper=VGG) for name, fields in _CONFIGURATIONS.items()},
  **{
    f"{name}_bn": Variant("vgg", fields | {"norm": "batch"}, paper=VGG)
    for name, fields in _CONFIGURATIONS.items()
  },
}
