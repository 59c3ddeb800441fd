"""What each axis of the nets means, in a line; no JAX here."""

MEANINGS = {
  "name": "the net; all of them: launch.py list nets",
  "depth": "layers with weights, as the papers count them",
  "units": "repeats in each stage; () is what depth stands for",
  "widths": "channels out of each stage (AlexNet: each convolution), before width",
  "width": "factor on every channel count",
  "hidden": "units of each hidden fully connected layer",
  "unit": "basic: two 3x3 convolutions; bottleneck: 1x1, 3x3, 1x1",
  "bottleneck": "channels out of a unit / inside it; GoogLeNet: factor on the reductions",
  "reduction": "1x1 reductions before the large convolutions; off is the naive module",
  "branches": "the branches of an inception module that are kept",
  "pool_projection": "1x1 convolution after the pooling branch",
  "groups": "independent convolutions that the channels are split into",
  "kernel": "side of the spatial convolutions, px",
  "shared": "kernels are the same at all places; off: local layers with weights of their own",
  "large_kernel": "side of an inception module's largest convolution, px: 5 in the paper",
  "first_kernels": "sides of the first two convolutions, px; () is what the stem says",
  "pointwise_last": "the last convolution of stages 3 to 5 is 1x1 (VGG's configuration C)",
  "shortcut": "none: plain; A: padded with zeros; B: projected on change; C: always",
  "preactivation": "norm and activation before each convolution (v2)",
  "stride_first": "stride on a unit's first convolution (v1), not on its 3x3 (v1.5)",
  "zero_last_scale": "each unit starts as the identity: its last norm's scale is 0",
  "activation": "relu, leaky_relu, tanh, sigmoid, gelu, swish or identity",
  "norm": "batch, group or none",
  "norm_epsilon": "added to the variance",
  "lrn": "local response normalisation where the paper has it",
  "pooling": "max or average",
  "pool_window": "side of the pooling windows of stride 2, px: 3 overlaps, 2 does not",
  "last_pool_window": "side of the last pooling window between stages, px",
  "head": "gap: global average, then linear; fc: hidden layers, then linear",
  "dropout": "rate",
  "dropout_place": "after or before each hidden layer; ResNet: in the head or each unit",
  "aux": "auxiliary heads, used in training only",
  "aux_weight": "weight of each auxiliary head's loss",
  "aux_dropout": "rate in the auxiliary heads",
  "aux_pooling": "strided: 5x5 windows of stride 3 as published; adaptive: always to 4x4",
  "stem": "imagenet: reduces by 4 at once; small: for images of 28 to 64 px",
  "stem_width": "channels of the first convolution, before the factor width",
  "stem_padding": "zeros around the image of AlexNet's first convolution, px",
  "weight_init": "where the weights start: paper, he and what else the family offers",
  "remat": "stages whose activations are computed again in the backward pass, from 1",
}


def meaning(axis: str) -> str:
  """The meaning of an axis; every axis of every family has one."""
  return MEANINGS[axis]
