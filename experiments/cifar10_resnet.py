"""How far does depth carry on CIFAR-10, with and without shortcuts?  He et al. 2015, section 4.2.

    python launch.py data prepare cifar10
    python launch.py --config=experiments/cifar10_resnet.py:resnet20 --workdir=runs/resnet20

The recipe of the paper: 64,000 steps of 128 images, 45,000 of them for training, SGD 0.1 divided by
10 at 32,000 and 48,000, weight decay 1e-4, crops from 4 px of padding, flips, the mean image
subtracted. Test error in the paper (table 6), last step, one view: 8.75, 7.51, 7.17, 6.97 % for 20,
32, 44, 56 layers; 6.43 % for 110 (best of 5 runs); 7.93 % for 1,202.

On two CPU cores without accelerator ResNet-20 takes about 0.6 s a step, so the full run is for a
GPU; no full run of this file is recorded yet. `:resnet20,runlocal` takes half a minute.

Deviation: ResNet-110 starts with 400 steps of linear warm-up where the paper trains at 0.01 until
the training error is below 80 %.
"""

from jaxnets import config

DEPTHS = (20, 32, 44, 56, 110, 1202)
NETS = (*(f"resnet{d}" for d in DEPTHS), *(f"plain{d}" for d in DEPTHS))


def get_config(arg: str = "") -> config.Config:
  net, runlocal = config.read_arg(arg, NETS)
  c = config.base(f"cifar_{net}", "cifar10")
  c.data.normalise = "pixel"
  c.data.crop = "pad"
  c.data.flip = True
  c.optim.lr = 0.1
  c.optim.lr_batch = 128
  c.optim.schedule = "step"
  c.optim.drops = (0.5, 0.75)
  c.optim.weight_decay = 1e-4
  c.optim.warmup_steps = 400 if c.net.depth >= 110 else 0
  c.train.batch = 128
  c.train.steps = 64_000
  c.train.log_every = 100
  c.train.checkpoint_every = 1_000
  c.eval.every = 1_000
  if runlocal:
    config.run_locally(c, image_size=8)
    c.net.width = 0.5
    c.net.depth = 8  # 1,202 layers would compile for longer than two minutes
  return c
