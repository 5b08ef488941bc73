"""One file a step of the schema, in order. Imports nothing of the lab."""
