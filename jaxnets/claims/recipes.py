"""What the studies train on, by size: one recipe for all arms of a claim. No JAX here."""

from jaxnets import config
from jaxnets.claims.study import Size
from jaxnets.config import Config


def recipe(size: Size, net: str, **axes) -> Config:
  """The config of a study's base.

  cpu: 400 steps on the 1,297 training images of the embedded digits, not augmented; 5 to 40 s a run
  on two cores. laptop: 500 steps of CIFAR-10, 0.7 passes, 10 to 200 s a run. gpu: CIFAR-10 as in He
  et al. 2015, section 4.2. pod: ImageNet as in section 3.4.
  """
  return {"cpu": _digits, "laptop": _passes, "gpu": _cifar10, "pod": _imagenet}[size](net, axes)


def alexnet(size: Size) -> dict:
  """Overrides that make AlexNet of a small size's net: few, large kernels and large hidden layers.

  The paper's net with small strides, a quarter as wide; the digits have no room for its poolings,
  and get four of its layers.
  """
  if size != "cpu":
    return {"net.name": "alexnet_owt", "net.width": 0.25, "net.stem": "small"}
  return {
    "net.name": "vgg11", "net.widths": (32, 64), "net.units": (1, 1), "net.kernel": 5,
    "net.hidden": 1024, "net.stem": "small",
  }  # fmt: skip


def seeds(size: Size) -> int:
  """Of a study whose runs take minutes on a laptop: three there."""
  return 3 if size == "laptop" else 5


def coarse(size: Size) -> str:
  """What the small size says of margins below a point."""
  if size != "cpu":
    return ""
  return "one of the 500 test images is 0.2 points: margins of half a point ask for more seeds"


def _digits(net: str, axes: dict) -> Config:
  c = config.base(net, "digits", **axes)
  c.data.image_size = 8
  c.optim.lr = 0.1
  c.optim.schedule = "cosine"
  c.optim.warmup_steps = 20
  c.train.steps = 400
  c.train.log_every = 10
  c.train.checkpoint_every = c.eval.every = 200
  return c


def _passes(net: str, axes: dict) -> Config:
  c = config.base(net, "cifar10", **axes)
  c.data.image_size = 32
  c.data.crop = "pad"
  c.data.flip = True
  c.optim.lr = 0.1
  c.optim.schedule = "cosine"
  c.optim.warmup_steps = 40
  c.optim.weight_decay = 5e-4
  c.train.batch = 64
  c.train.steps = 500
  c.train.log_every = 20
  c.train.checkpoint_every = c.eval.every = 250
  return c


def _cifar10(net: str, axes: dict) -> Config:
  c = config.base(net, "cifar10", **axes)
  c.data.image_size = 32
  c.data.normalise = "pixel"
  c.data.crop = "pad"
  c.data.flip = True
  c.optim.lr = 0.1
  c.optim.lr_batch = 128
  c.optim.schedule = "step"
  c.optim.drops = (0.5, 0.75)
  c.optim.weight_decay = 1e-4
  c.optim.warmup_steps = 400
  c.train.steps = 64_000
  c.train.log_every = 100
  c.train.checkpoint_every = c.eval.every = 2_000
  return c


def _imagenet(net: str, axes: dict) -> Config:
  c = config.base(net, "imagenet2012", **axes)
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
  c.train.log_every = 100
  c.train.checkpoint_every = c.eval.every = 5_000
  return c
