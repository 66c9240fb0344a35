"""Laws that hold for every program, schedule and size that can be drawn."""
