"""How much does depth give when all kernels are 3x3?  Simonyan and Zisserman 2014, ImageNet.

    python launch.py data prepare imagenet2012 --from=DIR_WITH_THE_TARS
    python launch.py --config=experiments/imagenet_vgg.py:vgg16 --workdir=runs/vgg16

The recipe of the paper: 74 epochs of 256 images, SGD 0.01 divided by 10 when the validation error
stops falling, weight decay 5e-4, dropout, crops of 224 px from photos whose short side is 256 to
512 px, flips, colour shift. Top-1 error in the paper (table 3, scale jitter, dense evaluation)
25.6 % for D (vgg16) and 25.5 % for E (vgg19).

Deviation: every net starts from Glorot's weights, which the paper found to make its start from the
11-layer net unnecessary (section 3.1).

No full run of this file is recorded yet. `:runlocal` takes under a minute on two CPU cores.
"""

from jaxnets import config

NETS = ("vgg16", "vgg11", "vgg11_lrn", "vgg13", "vgg16_c", "vgg19", "vgg11_bn", "vgg13_bn",
        "vgg16_bn", "vgg19_bn")  # fmt: skip


def get_config(arg: str = "") -> config.Config:
  net, runlocal = config.read_arg(arg, NETS)
  c = config.base(net, "imagenet2012", weight_init="glorot")
  c.data.crop = "scale_jitter"
  c.data.scales = (256, 512)
  c.data.flip = True
  c.data.lighting = 0.1
  c.data.validation = 0.01
  c.data.workers = 8
  c.optim.lr = 0.01
  c.optim.lr_batch = 256
  c.optim.schedule = "plateau"
  c.optim.weight_decay = 5e-4
  c.train.batch = 256
  c.train.epochs = 74.0
  c.train.checkpoint_every = 5_000
  c.eval.every = 5_000
  return config.run_locally(c, image_size=32) if runlocal else c
