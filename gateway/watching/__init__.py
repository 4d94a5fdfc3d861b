"""What the service tells of itself: metrics, health, and the slowest steps."""
