"""Let several processes be one service: who owns what, facts of learned events, events in a wrong partition.

Begin at `shard.py`: after learning it sends facts, and takes in those of others. `reroute.py` looks at records before
they are decoded; `network_role.py` trains the one network. The service and `check` may call it. It reads and writes its
own topics and the layout file, and changes learners only through the facts that it folds.
"""
