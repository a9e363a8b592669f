"""Remote monitoring and telehealth for virtual wards: the service, the only package that talks to the world."""

from __future__ import annotations

__version__ = "0.1.0"
