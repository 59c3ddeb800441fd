"""AlexNet as rows."""

from jaxnets.nets.tables.row import ACTIVATIONS, HEADS, NORMS, POOLINGS, STEMS, Fields, Variant

ALEXNET = "Krizhevsky et al. 2012"
ONE_WEIRD_TRICK = "Krizhevsky 2014 (1404.5997)"

AXES: Fields = {
  "depth": 8,  # 6 to 12: convolutions like conv4 taken out or put in; counts the three of head fc
  "widths": (96, 256, 384, 384, 256),  # channels of conv1 to conv5
  "width": 1.0,
  "first_kernels": (),  # of conv1 and conv2; (): (11, 5), or (5, 5) with the small stem
  "kernel": 3,  # of conv3 and all after it
  "groups": 2,  # of conv2, conv4 and conv5: the two GPUs of the paper
  "lrn": True,
  "activation": "relu",
  "norm": "none",
  "pooling": "max",
  "pool_window": 3,  # 3 overlaps, as in section 3.4; the stride is always 2
  "head": "fc",
  "hidden": 4096,
  "dropout": 0.5,
  "dropout_place": "after",  # each hidden layer, as in section 4.2; torchvision: before
  "stem": "imagenet",  # small: conv1 has stride 1 and keeps the size
  "stem_padding": 0,  # of conv1 with the imagenet stem; 0 at 227 px, 2 at 224 px give 55x55
  "weight_init": "paper",
}

CHOICES: dict[str, tuple] = {
  "activation": ACTIVATIONS,
  "norm": NORMS,
  "pooling": POOLINGS,
  "pool_window": (2, 3),
  "head": HEADS,
  "dropout_place": ("after", "before"),
  "stem": STEMS,
  # paper: N(0, 0.01) and biases of 1 in conv2, conv4, conv5 and the hidden layers (section 5);
  # caffe: biases of 0.1 instead, since those of 1 "gave flat loss" in its replication.
  "weight_init": ("paper", "caffe", "he"),
}

VARIANTS: dict[str, Variant] = {
  "alexnet": Variant("alexnet", {}, image_size=227, paper=ALEXNET),
  "alexnet_ungrouped": Variant("alexnet", {"groups": 1}, image_size=227, paper=ALEXNET),
  "alexnet_owt": Variant(
    "alexnet",
    {
      "widths": (64, 192, 384, 256, 256),
      "groups": 1,
      "lrn": False,
      "stem_padding": 2,
      "dropout_place": "before",
      "weight_init": "he",
    },
    paper=ONE_WEIRD_TRICK,
  ),
}
