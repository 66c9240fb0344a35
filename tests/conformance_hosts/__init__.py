"""Cases with several hosts: the same body on the kernel and in the simulator."""
