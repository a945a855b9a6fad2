"""Dialogue formats: how messages are written for a base, one file each."""
