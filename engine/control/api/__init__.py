"""The control API of a run: one router a subject, declared as data, from which routes, document and tests are made.

``hosting.serve_control`` starts it beside a live run or inside a daemon. It reads the run's books between two turns
and changes nothing but through ``runtime/operator.py``, which journals who did what. Its death does not touch trading.
"""
