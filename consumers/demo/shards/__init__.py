"""Show several processes that are one service: they share the work, one of them is killed, and nothing is lost.

`consumers/demo/demo.py` calls it. It starts processes.
"""
