"""Inception-v3 as rows."""

from jaxnets.nets.tables.row import ACTIVATIONS, HEADS, NORMS, POOLINGS, STEMS, Fields, Variant

INCEPTION_V3 = "Szegedy et al. 2015 (1512.00567)"

AXES: Fields = {
  "depth": 48,  # 5n+28 on the longest path, for n modules in stage 2
  "units": (),  # modules that keep the size in stages 1, 2 and 3
  "width": 1.0,
  "activation": "relu",
  "norm": "batch",
  "norm_epsilon": 1e-3,
  "pooling": "max",  # in the stem and where the size changes; else modules average
  "head": "gap",
  "hidden": 4096,
  "dropout": 0.5,
  "aux": False,  # one more head in training, after stage 2
  "aux_weight": 0.4,
  "stem": "imagenet",  # small: no stride, no pooling, all convolutions keep the size
  "weight_init": "he",
  "remat": (),
}

CHOICES: dict[str, tuple] = {
  "activation": ACTIVATIONS,
  "norm": NORMS,
  "pooling": POOLINGS,
  "head": HEADS,
  "stem": STEMS,
  "weight_init": ("he", "glorot"),
  "remat": (1, 2, 3),
}

VARIANTS: dict[str, Variant] = {
  "inception_v3": Variant("inception_v3", {}, image_size=299, paper=INCEPTION_V3),
  "inception_v3_aux": Variant("inception_v3", {"aux": True}, image_size=299, paper=INCEPTION_V3),
}
