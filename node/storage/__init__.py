"""The node's database: final blocks, their states and state trees, on LevelDB."""
