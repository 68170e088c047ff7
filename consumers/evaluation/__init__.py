"""`crosscurrent evaluate`: the learner of `run` against simple arms, on recorded events, prequentially."""
