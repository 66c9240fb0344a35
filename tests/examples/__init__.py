"""Worked examples: code with a bug, a property, the smallest story that breaks it, and the fix.

Each directory has the code as it was written (`broken.py`) and as it was mended (`fixed.py`), the
property (`property.py`), and what `simnet.fuzz` made of it (`NAME.yaml`).
"""
