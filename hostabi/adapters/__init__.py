"""The host's connections to the world: one exchange, programs, files."""
