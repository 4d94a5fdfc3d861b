"""The drift audit: both sides as they are now, compared with what the gateway believes. It writes to neither."""
