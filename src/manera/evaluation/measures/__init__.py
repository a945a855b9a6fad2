"""Texts or numbers in, an interval out; nothing here knows of voices."""
