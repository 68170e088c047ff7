"""Say what a reader asks the store, and what it makes of the answers. Nothing here sends or receives."""
