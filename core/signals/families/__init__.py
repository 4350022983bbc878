"""Features of what surrounds an instrument: one file a family."""
