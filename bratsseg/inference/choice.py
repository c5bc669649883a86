"""Which shipped model takes a batch for which nobody named one."""

from __future__ import annotations

from bratsseg.inference.model import shipped_names

VOLUMES, PICTURES = "default", "default-picture"


def default_model(*, pictures: bool) -> str:
    """``default-picture`` where every case is a picture and that model is installed; else ``default``."""
    return PICTURES if pictures and PICTURES in shipped_names() else VOLUMES
