"""Take every event: let the full learner learn it, and count the errors of all arms.

The service, pretraining and evaluation call it. Begin at `arm_comparison.py`.
"""
