"""Read tables of users as contract records.

Called by replay, pretraining, evaluation and demo; touches files only.
"""
