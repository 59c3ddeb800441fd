"""How long it takes to draw a net's parameters: layer by layer, and as one compiled program.

    python benchmarks/start.py cifar_resnet20 cifar_resnet110 cifar_resnet1202

Each in a process of its own, that compiles everything. Prints the seconds, and their ratio.
"""

import subprocess
import sys
import time


def seconds(name: str, way: str) -> float:
  """In this process, without a compilation cache."""
  import jax

  from jaxnets import nets

  jax.config.update("jax_enable_compilation_cache", False)
  net, side = nets.build(name), nets.variant(name).image_size
  init = net.init if way == "layers" else jax.jit(net.init, static_argnums=1)
  start = time.perf_counter()
  jax.block_until_ready(init(jax.random.key(0), (1, side, side, 3)))
  return time.perf_counter() - start


def main(names: list[str]) -> None:
  """A row for each net."""
  for name in names:
    layers, whole = (
      float(subprocess.check_output([sys.executable, __file__, "--way", way, name], text=True))
      for way in ("layers", "whole")
    )
    print(f"{name:24}{layers:8.1f} s{whole:8.1f} s  {whole / layers:6.1f} times", flush=True)


if __name__ == "__main__":
  if sys.argv[1:2] == ["--way"]:
    print(seconds(sys.argv[3], sys.argv[2]))
  else:
    main(sys.argv[1:] or ["cifar_resnet20", "cifar_resnet110"])
