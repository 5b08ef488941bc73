"""The fine-tuning worker: it turns corrections into the next version. Imports `common` and `problems`, no other part.

Open `finetune.py` first: it has the order of the steps. `later.py` can be deleted.
"""
