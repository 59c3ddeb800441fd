"""The multi-layer perceptron as a row: what convolution is compared with."""

from jaxnets.nets.tables.row import ACTIVATIONS, NORMS, Fields, Variant

AXES: Fields = {
  "depth": 3,  # layers with weights: depth - 1 hidden ones and the classifier
  "hidden": 512,
  "width": 1.0,
  "activation": "relu",
  "norm": "none",
  "dropout": 0.0,  # after each hidden layer
  "weight_init": "he",
}

CHOICES: dict[str, tuple] = {
  "activation": ACTIVATIONS,
  "norm": NORMS,
  "weight_init": ("he", "glorot"),
}

VARIANTS = {"mlp": Variant("mlp", {}, image_size=28, classes=10)}
