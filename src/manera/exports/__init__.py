"""A voice as a folder that other people's programs load, checked against the voice itself."""
