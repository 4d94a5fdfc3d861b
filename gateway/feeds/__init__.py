"""iCal feeds: links, what is behind them, and how they are served. What an entry says is in `mappings.feed_entries`."""
