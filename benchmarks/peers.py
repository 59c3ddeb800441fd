"""The same work in PyTorch, channels last: torchvision's nets, and in bfloat16, for a GPU."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
  from benchmarks.workers import Work

NAMES = {"alexnet_owt": "alexnet", "googlenet_tv": "googlenet"}  # where torchvision's differ


def model(net: str, small: bool) -> nn.Module:
  """torchvision's net, or for a small run the stand-in."""
  if small:
    return stand_in()
  import torchvision

  extra = {"aux_logits": False, "init_weights": False} if net == "googlenet_tv" else {}
  return getattr(torchvision.models, NAMES.get(net, net))(weights=None, **extra)


def stand_in() -> nn.Module:
  """Three convolutions: enough to try the taking of turns."""
  return nn.Sequential(
    *(nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
    *(nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    nn.Linear(32, 10),
  )


def make(
  mode: str, net: nn.Module, given: "Work", compiled: bool
) -> tuple[dict[str, Any], Callable[[int], float | None]]:
  """The train step or forward pass of `net`, warmed up."""
  from benchmarks import workers

  cuda = torch.cuda.is_available()
  device = torch.device("cuda" if cuda else "cpu")
  torch.manual_seed(0)
  torch.backends.cudnn.benchmark = True
  if given.dtype != "float32":
    torch.set_float32_matmul_precision("high")
  net = net.to(device, memory_format=torch.channels_last).train(mode == "train")
  placed = [
    # [batch, channels, height, width] over the same bytes: channels last
    (torch.from_numpy(image).to(device).permute(0, 3, 1, 2), torch.from_numpy(label).to(device))
    for image, label in workers.batches(given)
  ]
  function = torch.compile(net) if compiled else net
  form = train_program if mode == "train" else forward_program
  run = form(net, function, itertools.cycle(placed), precision(device, given.dtype))
  start = time.perf_counter()
  run(1)
  seconds = time.perf_counter() - start
  run(workers.WARM_UP)
  facts = {
    "device": torch.cuda.get_device_name() if cuda else "cpu",
    "platform": "gpu" if cuda else "cpu",
    "compile_seconds": seconds,  # with the first step
    "peak_bytes": torch.cuda.max_memory_allocated() if cuda else None,
    "parameters": sum(p.numel() for p in net.parameters()),
    "threads": torch.get_num_threads(),
    "torch": torch.__version__,
  }
  return facts, run


def precision(device: torch.device, dtype: str) -> Callable[[], contextlib.AbstractContextManager]:
  """What the forward pass is computed under."""
  if dtype == "float32":
    return contextlib.nullcontext
  return lambda: torch.autocast(device.type, getattr(torch, dtype))


def train_program(net: nn.Module, function: Callable, turn: Iterator, cast: Callable):
  """Steps of SGD on the parameters of `net`, computed by `function`."""
  from benchmarks import workers

  optimiser = torch.optim.SGD(
    net.parameters(),
    lr=workers.LEARNING_RATE,
    momentum=workers.MOMENTUM,
    weight_decay=workers.WEIGHT_DECAY,
    fused=True,
  )

  def run(steps: int) -> float:
    for _ in range(steps):
      image, label = next(turn)
      optimiser.zero_grad()
      with cast():
        loss = nn.functional.cross_entropy(function(image), label)
      loss.backward()
      optimiser.step()
    wait()
    return loss.item()

  return run


def forward_program(net: nn.Module, function: Callable, turn: Iterator, cast: Callable):
  """Forward passes without gradients."""
  del net

  def run(steps: int) -> None:
    with torch.inference_mode(), cast():
      for _ in range(steps):
        function(next(turn)[0])
    wait()

  return run


def wait() -> None:
  """Until the device has done all that it was given."""
  if torch.cuda.is_available():
    torch.cuda.synchronize()
