"""Replaces flow runs that Prefect has lost before they did their work.

This folder can be deleted; then the corrections of such a run wait until somebody sends them again. It imports
`corrections` and what stands below it. Begin with `lost_runs.py`.
"""
