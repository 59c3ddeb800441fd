"""The one entry: `python launch.py [VERB] --config=experiments/FILE.py[:ARG] --workdir=DIR`.

The same as `python -m jaxnets` and the console script `jaxnets`. See `python launch.py --help`.
"""

import sys

from jaxnets.cli import main

if __name__ == "__main__":
  sys.exit(main(sys.argv))
