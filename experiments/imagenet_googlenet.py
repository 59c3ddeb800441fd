"""What do inception modules buy at 7 million parameters?  Szegedy et al. 2014, ImageNet.

    python launch.py data prepare imagenet2012 --from=DIR_WITH_THE_TARS
    python launch.py --config=experiments/imagenet_googlenet.py --workdir=runs/googlenet

As published: two auxiliary heads of weight 0.3, dropout, crops of 8 to 100 % of the photo's area
and aspect 3/4 to 4/3, colour distortion, momentum 0.9, the average of the parameters evaluated.
The paper gives neither batch nor learning rate: those are Caffe's (bvlc_googlenet quick_solver:
0.01, polynomial decay of power 0.5, 60 epochs, weight decay 2e-4), its rate taken for 256 images.
Top-1 error of that replication 31.3 %, top-5 11.1 % (one centre crop); the paper's top-5 error is
10.07 %.

No full run of this file is recorded yet. `:runlocal` takes under a minute on two CPU cores.
"""

from jaxnets import config

NETS = ("googlenet_aux", "googlenet_bn_aux", "googlenet_tv_aux", "googlenet", "googlenet_bn")


def get_config(arg: str = "") -> config.Config:
  net, runlocal = config.read_arg(arg, NETS)
  c = config.base(net, "imagenet2012")
  c.data.crop = "random_resized"
  c.data.crop_area = (0.08, 1.0)
  c.data.crop_aspect = (3 / 4, 4 / 3)
  c.data.flip = True
  c.data.colour = 0.4
  c.data.validation = 0.01
  c.data.workers = 8
  c.optim.lr = 0.01
  c.optim.lr_batch = 256
  c.optim.schedule = "poly"
  c.optim.poly_power = 0.5
  c.optim.weight_decay = 2e-4
  c.train.batch = 256
  c.train.epochs = 60.0
  c.train.ema = 0.9999
  c.train.checkpoint_every = 5_000
  c.eval.every = 5_000
  if runlocal:
    config.run_locally(c, image_size=32)
    c.net.units = (1, 3, 1)
    c.train.ema = 0.9  # 40 steps are too few for a longer memory
  return c
