"""Exports: every format, its parity, and what must not be in it."""
