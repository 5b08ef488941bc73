"""One file for each step of the schema, in order. They import nothing of the lab."""
