"""The Open Inference Protocol, version 2, as KServe, Triton and MLServer speak it.

It imports the same as `api/protocols`. Begin with `routes.py`, then `read.py`, `infer.py` and `write.py`.
"""
