"""The simulator's TCP against the kernel's, packet by packet, over a TUN device."""
