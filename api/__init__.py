"""The online service."""
