"""The nets as data, a module per family; no JAX here.

Each module has `AXES` (every axis with its default), `CHOICES` (the values of those that are
names) and `VARIANTS` (the published nets: what differs from the defaults).
"""

from jaxnets.nets.tables import alexnet, googlenet, inception_v3, mlp, resnet, vgg

FAMILIES = {
  "mlp": mlp,
  "alexnet": alexnet,
  "vgg": vgg,
  "googlenet": googlenet,
  "inception_v3": inception_v3,
  "resnet": resnet,
}
