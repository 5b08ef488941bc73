"""The lesson: a small closed loop that students build themselves, its starting project, and its grader.

It imports nothing of the lab: a student's project has an `api` and a `main` of its own, and the two cannot be mixed up.
"""
