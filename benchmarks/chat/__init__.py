"""The benchmark of ``chatstate``, side by side with the state adapters that bots use today."""
