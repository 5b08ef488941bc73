"""Small tools that people run by hand, and what the Makefile starts."""
