"""A named dataset -> batches, a pure function of (seed, epoch, index).

`info` and `names` read metadata only; `load` gives a `Source`, `batches` cuts it into arrays and
`augment` (the one module here that needs JAX: import it by name) works on them on the device.
"""

from jaxnets.data.records import Info, Source
from jaxnets.data.sources import (
  SHAPES,
  data_directory,
  info,
  load,
  location,
  names,
  training_images,
)

__all__ = [
  "SHAPES",
  "Info",
  "Source",
  "data_directory",
  "info",
  "load",
  "location",
  "names",
  "training_images",
]
