"""Do deeper plain nets train worse, and do shortcuts mend it?  Figure 6 of He et al., in minutes.

    python launch.py sweep --config=experiments/digits_depth.py --workdir=runs/digits_depth
    python launch.py report runs/digits_depth
    python launch.py --config=experiments/digits_depth.py:plain20 --workdir=runs/plain20
    python docs/figures.py --runs=runs/digits_depth

The question of the paper asked of 1,797 handwritten digits: 400 steps, no augmentation. What three
seeds show on this small set: every net up to 20 layers ends without training error, so there is
no degradation to see, but plain nets learn slower the deeper they are. Training error over the
first 50 steps: plain 27, 38, 63 % for 8, 14, 20 layers; residual 22, 22, 24 %
(docs/digits_depth.csv). A run takes 10 to 40 s on two CPU cores.
"""

from jaxnets import config

DEPTHS = (8, 14, 20, 32)
NETS = (*(f"resnet{d}" for d in DEPTHS), *(f"plain{d}" for d in DEPTHS))


def get_config(arg: str = "") -> config.Config:
  name, runlocal = config.read_arg(arg, NETS)
  residual = name.startswith("resnet")
  depth = int(name.removeprefix("resnet" if residual else "plain"))
  c = config.base("cifar_resnet20" if residual else "cifar_plain20", "digits", depth=depth)
  c.data.image_size = 8
  c.optim.lr = 0.1
  c.optim.schedule = "cosine"
  c.optim.warmup_steps = 20
  c.train.steps = 40 if runlocal else 400
  c.train.checkpoint_every = 200
  c.eval.every = 200
  return c


def get_sweep(hyper, arg=""):
  runlocal = "runlocal" in arg
  return hyper.product([
    hyper.sweep("net.shortcut", ["none", "A"]),
    hyper.sweep("net.depth", [8, 14] if runlocal else [8, 20, 32, 56]),
    hyper.seeds(2 if runlocal else 5),
  ])  # fmt: skip
