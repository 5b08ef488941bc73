"""The model as a service of each peer. The files run in the peers' environments and import nothing of the lab."""
