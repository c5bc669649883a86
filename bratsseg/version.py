"""Which version of the software this is: on the floor, so that every room can say so without asking the door."""

from __future__ import annotations

__version__ = "0.1.0"
