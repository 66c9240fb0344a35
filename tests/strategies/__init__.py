"""What the strategies draw, what they shrink toward, and that worlds and scenarios take it."""
