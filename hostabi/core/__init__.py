"""The host without I/O: events in, commands out. No socket, clock, randomness or thread of its own."""
