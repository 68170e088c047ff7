"""Notice what happens to topics while they are read: partitions added, topics made again, compaction."""
