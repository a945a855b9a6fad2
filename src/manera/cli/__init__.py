"""Words typed to one call per floor."""
