"""Kinds of devices, and what goes wrong with them, in pure stages. Whose they are is the business of simulator.kit."""
