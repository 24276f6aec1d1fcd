"""Real Envoy as an oracle: tapped filters, one Envoy process, and its trace held against our own host's."""
