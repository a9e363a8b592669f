"""Homes: kinds of devices, who shares them, and what goes wrong with them, in pure stages."""
