"""One train loop: state, step, optimiser, mesh, checkpoint."""
