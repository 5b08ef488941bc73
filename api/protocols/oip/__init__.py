"""The Open Inference Protocol, version 2, as KServe, Triton and MLServer speak it.

Imports `routes` and what stands below it. Begin with `routes.py`, then `read.py`, `infer.py` and `write.py`.
"""
