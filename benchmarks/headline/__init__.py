"""The benchmarks behind the README's figures. Imports `harness`.

Begin with `answering.py`.
"""
