"""The benchmarks behind the README's figures, and the applications that they serve.

It imports the lab, `harness`, and models from `more`. Begin with `answering.py`.
"""
