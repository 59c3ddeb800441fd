"""At equal cost, is deep and narrow better, or shallow and wide?  Fashion-MNIST, in minutes.

    python launch.py data prepare fashion_mnist --data_dir=DATA
    python launch.py sweep --config=experiments/fashion_width.py --data_dir=DATA \\
      --workdir=runs/width
    python launch.py report runs/width

Residual nets of 8 to 32 layers whose width is solved so that each costs what the one of 14 layers
does, within one percent; where whole channels are too coarse steps for that, the channels inside
the units give way a little too (net.bottleneck). Five seeds of 400 steps, about one pass over the
54,000 training images.
"""

from jaxnets import config


def get_config(arg: str = "") -> config.Config:
  _, runlocal = config.read_arg(arg)
  c = config.base("cifar_resnet20", "fashion_mnist", depth=14, width=0.5)
  c.data.image_size = 28
  c.data.crop = "pad"
  c.data.pad = 2
  c.data.flip = True
  c.optim.lr = 0.1
  c.optim.weight_decay = 5e-4
  c.optim.warmup_steps = 40
  c.train.steps = 400
  c.train.checkpoint_every = c.eval.every = 200
  return config.run_locally(c) if runlocal else c


def get_sweep(hyper, arg=""):
  runlocal = "runlocal" in arg
  return hyper.product([
    hyper.sweep("net.depth", [8, 14] if runlocal else [8, 14, 20, 32]),
    hyper.matched("net.width", macs={}, then="net.bottleneck"),
    hyper.seeds(2 if runlocal else 5),
  ])  # fmt: skip
