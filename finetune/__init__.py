"""The flow that turns corrections into the next version. Imports `common` and `problems`, no other part.

Begin with `finetune.py`.
"""
