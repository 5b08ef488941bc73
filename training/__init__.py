"""Model search: many candidates, one winner."""
