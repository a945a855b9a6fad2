"""A voice on disk: its manifest, its dataset and its adapter."""
