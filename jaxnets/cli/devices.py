"""The devices JAX finds, in words."""

from jaxnets.errors import ConfigError


def find_devices(platform: str | None) -> str:
  """ "8 x TPU v4"; starts JAX's backend.

  Raises:
    ConfigError: the platform that was asked for is not there.
  """
  import jax

  try:
    devices = jax.devices()
  except RuntimeError as error:
    raise ConfigError(
      f"--platform={platform}, but JAX finds no such device here ({str(error).splitlines()[0]})\n"
      f'Is it installed (pip install "jaxnets[{"tpu" if platform == "tpu" else "cuda"}]") and free?'
    ) from error
  return f"{len(devices)} x {devices[0].device_kind}"
