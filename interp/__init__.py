"""tamis, the virtual machine: the specification's embedding interface."""
