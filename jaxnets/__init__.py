"""jaxnets: the laboratory for convolutional architecture in JAX."""

__version__ = "0.1.0"
