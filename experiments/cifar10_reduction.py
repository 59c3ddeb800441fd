"""Do GoogLeNet's 1x1 reductions save compute at no loss?  CIFAR-10, narrow nets, in minutes.

    python launch.py data prepare cifar10 --data_dir=DATA
    python launch.py sweep --config=experiments/cifar10_reduction.py --data_dir=DATA \\
      --workdir=runs/reduction
    python launch.py report runs/reduction

Szegedy et al. 2014, section 4: figure 2a, the naive module, against 2b, the one with reductions
before the large convolutions. Three arms: with reductions; without, at the same width, which costs
more; without, as narrow as makes it cost the same. Five seeds of 400 steps.
"""

from jaxnets import config


def get_config(arg: str = "") -> config.Config:
  _, runlocal = config.read_arg(arg)
  c = config.base("googlenet_bn", "cifar10", stem="small", depth=10, width=0.25, dropout=0.0)
  c.data.image_size = 32
  c.data.crop = "pad"
  c.data.flip = True
  c.optim.lr = 0.1
  c.optim.weight_decay = 5e-4
  c.optim.warmup_steps = 40
  c.train.steps = 400
  c.train.checkpoint_every = c.eval.every = 200
  return config.run_locally(c) if runlocal else c


def get_sweep(hyper, arg=""):
  runlocal = "runlocal" in arg
  naive = hyper.fixed("net.reduction", False)
  equal = hyper.matched("net.width", macs={}, tolerance=0.1 if runlocal else 0.01)
  width = hyper.fixed("net.width", 0.125 if runlocal else 0.25)
  return hyper.product([
    hyper.chainit([
      hyper.product([hyper.fixed("net.reduction", True), width]),
      hyper.product([naive, width]),
      hyper.product([naive, equal]),
    ]),
    hyper.seeds(2 if runlocal else 5),
  ])  # fmt: skip
