"""How many images does a small ConvNet need to beat hand-made features?  CIFAR-10, in minutes.

    python launch.py data prepare cifar10 --data_dir=DATA
    python launch.py sweep --config=experiments/cifar10_sizes.py --data_dir=DATA \\
      --workdir=runs/sizes
    python launch.py classical --config.data.name=cifar10 --data_dir=DATA --workdir=runs/made \\
      --features=hog+lbp+colour --classifiers=logreg --seeds=0:3 --sizes=100,300,1000,3000,10000
    python launch.py report runs/made runs/sizes --mixed_protocols

VGG of three stages with batch norm and global average pooling, 400 steps, on as many images,
balanced over classes, as the pipelines of the same seed are fitted to; the net sees them cropped
and flipped. Three seeds. The answer, measured: docs/classical.md.
"""

from jaxnets import config


def get_config(arg: str = "") -> config.Config:
  _, runlocal = config.read_arg(arg)
  c = config.base(
    "vgg11_bn", "cifar10", widths=(16, 32, 64), units=(2, 2, 2), head="gap", dropout=0.0,
    stem="small",
  )  # fmt: skip
  c.data.image_size = 32
  c.data.crop = "pad"
  c.data.flip = True
  c.optim.lr = 0.1
  c.optim.weight_decay = 5e-4
  c.optim.warmup_steps = 40
  c.train.steps = 400
  c.train.checkpoint_every = c.eval.every = 400
  return config.run_locally(c) if runlocal else c


def get_sweep(hyper, arg=""):
  sizes = (100, 300) if "runlocal" in arg else (100, 300, 1000, 3000, 10_000)
  return hyper.product(
    [hyper.sweep("data.images", sizes), hyper.seeds(2 if "runlocal" in arg else 3)]
  )
