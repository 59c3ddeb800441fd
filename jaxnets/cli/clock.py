"""Times as people read them."""


def clock(seconds: float) -> str:
  """ "0:41", "12:05", "3:20:00"."""
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
