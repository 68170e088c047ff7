"""Compare arms of live experiments: who gets which arm, which arm is better, whether units were shared out as planned.

The service, the publication of lists, and the command line call it. It touches nothing.
"""
