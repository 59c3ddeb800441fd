"""What did AlexNet need?  Krizhevsky et al. 2012, sections 3 to 5, on ImageNet.

    python launch.py data prepare imagenet2012 --from=DIR_WITH_THE_TARS
    python launch.py --config=experiments/imagenet_alexnet.py:alexnet --workdir=runs/alexnet

The recipe of the paper: 90 epochs of 128 images, SGD 0.01 with the rate inside the velocity,
divided by 10 when the validation error stops falling, weight decay 5e-4, dropout, crops of 227 px
from photos of 256 px, flips, PCA colour shift. Top-1 error in the paper 40.7 % (ILSVRC-2012
validation, 10 views); 42.9 % for one centre crop in the Caffe replication.

Deviations: crops of 227 px, which give the 55x55 map of the paper, where it says 224; the
channels' means in place of the mean image. `alexnet_owt` is the one-tower net of 2014.

No full run of this file is recorded yet. `:runlocal` takes under a minute on two CPU cores.
"""

from jaxnets import config

NETS = ("alexnet", "alexnet_ungrouped", "alexnet_owt")


def get_config(arg: str = "") -> config.Config:
  net, runlocal = config.read_arg(arg, NETS)
  c = config.base(net, "imagenet2012")
  c.data.crop = "fixed"
  c.data.scales = (256, 256)
  c.data.flip = True
  c.data.lighting = 0.1
  c.data.validation = 0.01
  c.data.workers = 8
  c.optim.lr = 0.01
  c.optim.lr_batch = 128
  c.optim.lr_in_velocity = True
  c.optim.schedule = "plateau"
  c.optim.weight_decay = 5e-4
  c.train.batch = 128
  c.train.epochs = 90.0
  c.train.checkpoint_every = 5_000
  c.eval.every = 5_000
  c.eval.scale = 256 / c.data.image_size
  return config.run_locally(c) if runlocal else c
