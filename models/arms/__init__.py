"""The full learner beside the arms that it is measured against. Begin at `arm_comparison.py`."""
