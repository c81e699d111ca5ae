"""Where chat state is kept: one database per alias that a shard is mapped to."""
