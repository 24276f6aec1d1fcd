"""Tools that test the virtual machine: random programs, engines compared exit by exit, validators compared."""
