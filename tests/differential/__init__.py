"""Random programs, run on two backends, whose every step must give the same on both."""
