"""Vetting and tracing: which corrections may be learnt, what became of each, and how one takes a correction back.

Imports `common` and `problems`; `http/` and `withdrawal/` also import what they extend in `api` and `finetune`, which
import this room in their wiring only. Begin with `vetting/rules.py`.
"""
