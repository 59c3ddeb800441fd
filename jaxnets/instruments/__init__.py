"""What is measured inside a net: norms, activations, propagation, maps, identities, ensembles.

Pure functions of arrays and of `nets.Net`, to be jitted; docs/instruments.md defines each.

  norms         of gradients, updates, weights: one number per layer
  activations   zeros, dead channels, correlation, rank; deviation of responses
  propagation   sizes of signals and gradients through the layers
  maps          class activation maps and Grad-CAM
  filters       first-layer kernels as one image
  identity      a deeper net that computes what the given one does
  ensemble      dropout as an average over masks
"""
