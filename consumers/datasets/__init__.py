"""Read tables of users as contract records.

Replay, pretraining, evaluation and demo call it. It touches files only.
"""
