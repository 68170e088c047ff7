"""Value a ranking policy from logged impressions of another one: `crosscurrent evaluate --impressions`.

The command line calls it. It touches files only.
"""
