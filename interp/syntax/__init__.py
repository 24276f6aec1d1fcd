"""Chapter 2 of the specification: types, the instruction table and modules, all of it data."""
