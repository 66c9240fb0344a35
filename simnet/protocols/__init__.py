"""The kernel half of sockets: one endpoint class per protocol. Never blocks, never sleeps."""
