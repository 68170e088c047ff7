"""Let several processes be one service: who owns what, facts of learned events, events in a wrong partition.

The service and `check` may call it. It reads and writes its own topics and the layout file, and changes learners only
through the facts that it folds.
"""
