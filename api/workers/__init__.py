"""Several processes that serve as one: on one port, with one set of metrics and one limit on corrections."""
