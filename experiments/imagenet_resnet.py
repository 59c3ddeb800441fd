"""Does depth help once there are shortcuts?  He et al. 2015, section 4.1, ImageNet.

    python launch.py data prepare imagenet2012 --from=DIR_WITH_THE_TARS
    python launch.py --config=experiments/imagenet_resnet.py:resnet50 --workdir=runs/resnet50

The recipe of the paper: 600,000 steps of 256 images, SGD 0.1 divided by 10 when the error stops
falling, weight decay 1e-4, crops of 224 px from photos whose short side is 256 to 480 px, flips,
colour shift. Top-1 error in the paper (10 views) 27.88 / 25.03 % for 18 / 34 layers (option A),
22.85 / 21.75 / 21.43 % for 50 / 101 / 152; plain nets 27.94 / 28.54 % for 18 / 34. One centre crop
of the authors' released ResNet-50: 24.7 %.

Deviations: the channels' means in place of the mean image; resnet50 and deeper have their stride on
the 3x3 convolution (v1.5); `resnet50_v1` is the paper's.

No full run of this file is recorded yet. `:runlocal` takes under a minute on two CPU cores.
"""

from jaxnets import config

NETS = ("resnet50", "resnet18_a", "resnet34_a", "plain18", "plain34", "resnet18", "resnet34",
        "resnet101", "resnet152", "resnet50_v1", "resnet101_v1", "resnet152_v1", "resnet50_v2",
        "resnext50_32x4d", "wide_resnet50_2")  # fmt: skip


def get_config(arg: str = "") -> config.Config:
  net, runlocal = config.read_arg(arg, NETS)
  c = config.base(net, "imagenet2012")
  c.data.crop = "scale_jitter"
  c.data.scales = (256, 480)
  c.data.flip = True
  c.data.lighting = 0.1
  c.data.validation = 0.01
  c.data.workers = 8
  c.optim.lr = 0.1
  c.optim.lr_batch = 256
  c.optim.schedule = "plateau"
  c.optim.weight_decay = 1e-4
  c.train.batch = 256
  c.train.steps = 600_000
  c.train.checkpoint_every = 5_000
  c.eval.every = 5_000
  if runlocal:
    config.run_locally(c)
    c.net.units = (1, 1, 1, 1)  # 152 layers would compile for longer than two minutes
  return c
