"""One suite for both backends: each case passes on the kernel first, then on the simulator."""
