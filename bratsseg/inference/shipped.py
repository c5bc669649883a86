"""The released models that come with the software, by name. Knows no torch: pages and the command line ask as well."""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).resolve().parent.parent / "models"
DESCRIPTION = "model.json"
"""The file that makes a folder a released model."""
VOLUMES, PICTURES = "default", "default-picture"
"""The models that take volumes, and pictures, where nobody named one."""


def shipped_names() -> list[str]:
    """Names of the models that came with the software."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{DESCRIPTION}"))


def default_model(*, pictures: bool) -> str:
    """``default-picture`` where every case is a picture and that model is installed; otherwise ``default``."""
    return PICTURES if pictures and PICTURES in shipped_names() else VOLUMES
