"""The same work in PyTorch: torchvision's nets, bfloat16 autocast, channels last."""

import time
from collections.abc import Callable
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
  torch.set_float32_matmul_precision("high")
  net = net.to(device, memory_format=torch.channels_last)
  shape = (given.batch, 3, given.size, given.size)
  images = [
    torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last)
    for _ in range(workers.BATCHES)
  ]
  labels = [torch.randint(given.classes, shape[:1], device=device) for _ in range(workers.BATCHES)]
  optimiser = torch.optim.SGD(
    net.parameters(), lr=workers.LEARNING_RATE, momentum=0.9, weight_decay=1e-4, fused=cuda
  )
  function = torch.compile(net) if compiled else net
  wait = torch.cuda.synchronize if cuda else lambda: None

  def train(steps: int) -> float:
    for i in range(steps):
      optimiser.zero_grad()
      with torch.autocast(device.type, torch.bfloat16):
        logits = function(images[i % workers.BATCHES])
        loss = nn.functional.cross_entropy(logits, labels[i % workers.BATCHES])
      loss.backward()
      optimiser.step()
    wait()
    return loss.item()

  def infer(steps: int) -> None:
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
      for i in range(steps):
        function(images[i % workers.BATCHES])
    wait()

  net.train(mode == "train")
  run = train if mode == "train" else infer
  start = time.perf_counter()
  run(workers.WARM_UP)
  facts = {
    "device": torch.cuda.get_device_name() if cuda else "cpu",
    "platform": "gpu" if cuda else "cpu",
    "compile_seconds": time.perf_counter() - start,  # with the first three steps
    "peak_bytes": torch.cuda.max_memory_allocated() if cuda else None,
    "parameters": sum(p.numel() for p in net.parameters()),
  }
  return facts, run
