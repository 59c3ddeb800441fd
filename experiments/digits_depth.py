"""Do deeper plain nets train worse, and do shortcuts mend it?  Figure 6 of He et al., in minutes.

    python launch.py --config=experiments/digits_depth.py:plain20 --workdir=runs/plain20
    python docs/figures.py --runs=runs/digits_depth

The question of the paper asked of 1,797 handwritten digits: 400 steps, no augmentation, so that the
training error shows how well a net can be optimised at all; 10 to 60 s a run on two CPU cores. The
numbers of three seeds up to 20 layers are in docs/digits_depth.csv and in the README's figure.
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
