"""Signatures of versions: no part loads a file from the registry that the lab has not made itself.

Training and fine-tuning sign each version that they register; api, worker and monitor check the signature of what they
download. docs/security.md says against whom this helps. This folder can be deleted with the lines `# room: signing`.
Begin with `check.py`.
"""
