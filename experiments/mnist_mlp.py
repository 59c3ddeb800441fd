"""How far does a net without convolutions get?  An MLP on MNIST.

    python launch.py data prepare mnist
    python launch.py --config=experiments/mnist_mlp.py --workdir=runs/mlp

784-512-512-10 with ReLU, dropout 0.2, Adam with decoupled decay, 20 epochs. The table on the MNIST
page lists 1.6 % test error for a net of two hidden layers without augmentation.
No full run of this file is recorded yet.
"""

from jaxnets import config


def get_config(arg: str = "") -> config.Config:
  _, runlocal = config.read_arg(arg)
  c = config.base("mlp", "mnist", dropout=0.2)
  c.optim.name = "adamw"
  c.optim.lr = 1e-3
  c.optim.weight_decay = 1e-4
  c.optim.decay_mask = "kernels"
  c.optim.schedule = "cosine"
  c.train.epochs = 20.0
  return config.run_locally(c) if runlocal else c
