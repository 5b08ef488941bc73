"""The lineage of predictions, versions and corrections. Begin with `tracing.py`; `documents.py` has its answers."""
