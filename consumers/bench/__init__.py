"""Hold `crosscurrent bench`: measure how fast the service is, beside other software and beside what the machine allows.

One module is one contestant: `python -m consumers.bench.learner '{"events": 1000}'` prints one JSON object. `run`
starts contestants one after the other, each in a fresh process. `parts` holds what they share.
"""
