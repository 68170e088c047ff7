"""Fill topics, tables and checkpoints before something is measured on them."""
