"""The judge of live versions: it promotes, retires and rolls back on ground truths. This folder can be deleted.

It imports `promotion` and what stands below it, and needs the challenger's answers. Begin with `live_judge.py`.
"""
