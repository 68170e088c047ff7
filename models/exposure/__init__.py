"""Know what was shown with which probability: draw lists, learn how ranks are examined, value other lists.

The ranker, evaluation and the simulator call it. It touches nothing.
"""
