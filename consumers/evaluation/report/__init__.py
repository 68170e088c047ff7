"""Tell people and programs what an evaluation found: tables, a verdict in words, a plot, predictions as Parquet.

`evaluate` calls it. It writes to the console and to the files that were asked for.
"""
