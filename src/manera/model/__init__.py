"""A model that computes: packed rows in, nats out."""
