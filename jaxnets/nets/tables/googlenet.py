"""GoogLeNet as rows."""

from jaxnets.nets.tables.row import ACTIVATIONS, HEADS, NORMS, POOLINGS, STEMS, Fields, Variant

GOOGLENET = "Szegedy et al. 2014 (1409.4842)"

AXES: Fields = {
  "depth": 22,  # 2n+4 for n modules; modules are taken from or put into stage 4
  "units": (),  # modules in stages 3, 4 and 5
  "width": 1.0,
  "branches": ("1x1", "3x3", "5x5", "pool"),  # kept in every module, each with its own width
  "reduction": True,  # 1x1 convolutions before the 3x3 and the 5x5
  "bottleneck": 1.0,  # factor on the channels of those
  "pool_projection": True,  # 1x1 convolution after the pooling of a module
  "kernel": 3,  # of the "3x3" branch
  "large_kernel": 5,  # of the "5x5" branch
  "lrn": True,
  "activation": "relu",
  "norm": "none",
  "norm_epsilon": 1e-5,
  "pooling": "max",  # between stages and in the modules
  "last_pool_window": 3,  # of the pooling before stage 5
  "head": "gap",
  "hidden": 4096,
  "dropout": 0.4,
  "aux": False,  # two more heads in training, after modules 4a and 4d
  "aux_weight": 0.3,
  "aux_dropout": 0.7,
  "aux_pooling": "strided",  # 5x5 windows at stride 3; adaptive: always to 4x4
  "stem": "imagenet",  # small: 3x3 first, no stride and no pooling before stage 3
  "weight_init": "he",
  "remat": (),
}

CHOICES: dict[str, tuple] = {
  "branches": ("1x1", "3x3", "5x5", "pool"),
  "activation": ACTIVATIONS,
  "norm": NORMS,
  "pooling": POOLINGS,
  "last_pool_window": (2, 3),
  "head": HEADS,
  "aux_pooling": ("strided", "adaptive"),
  "stem": STEMS,
  "weight_init": ("he", "glorot"),  # the paper does not say
  "remat": (3, 4, 5),
}

_NETS: dict[str, Fields] = {
  "googlenet": {},
  "googlenet_bn": {"norm": "batch", "lrn": False},
  # torchvision's net, whose "5x5" branch is 3x3 (pytorch/vision issue 906)
  "googlenet_tv": {
    "norm": "batch",
    "norm_epsilon": 1e-3,
    "lrn": False,
    "large_kernel": 3,
    "last_pool_window": 2,
    "dropout": 0.2,
    "aux_pooling": "adaptive",
  },
}

VARIANTS: dict[str, Variant] = {
  **{name: Variant("googlenet", fields, paper=GOOGLENET) for name, fields in _NETS.items()},
  **{
    f"{name}_aux": Variant("googlenet", fields | {"aux": True}, paper=GOOGLENET)
    for name, fields in _NETS.items()
  },
  # The module of figure 2a: what is pooled goes on whole, so that modules grow with depth.
  "googlenet_naive": Variant(
    "googlenet", {"reduction": False, "pool_projection": False}, paper=GOOGLENET
  ),
  # The control for reductions alone: every module gives as many channels as in GoogLeNet.
  "googlenet_unreduced": Variant("googlenet", {"reduction": False}, paper=GOOGLENET),
}
