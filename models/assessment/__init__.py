"""Keep the errors of a running learner and compare two learners by a test. Whole files are `consumers/evaluation`.

Everything in models may call it.
"""
