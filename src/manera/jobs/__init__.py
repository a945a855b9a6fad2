"""Imports and trainings in processes of their own, with their state in files."""
