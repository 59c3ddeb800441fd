"""`python -m jaxnets` is `python launch.py`."""

import sys

from jaxnets.cli import main

if __name__ == "__main__":
  sys.exit(main(["jaxnets", *sys.argv[1:]]))
