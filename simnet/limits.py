"""What a host's kernel allows and assumes: the sysctls and limits that sockets meet.

The defaults were measured on Linux 6.18, as a common distribution sets them.
"""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """Limits of one host; sizes are in bytes."""

    # What SO_SNDBUF and SO_RCVBUF may ask for, before doubling (net.core.wmem_max, rmem_max).
    wmem_max: int = 4194304
    rmem_max: int = 4194304
    # What TCP's receive buffer may grow to by itself (the third value of net.ipv4.tcp_rmem).
    tcp_rmem_max: int = 33554432
    # The largest backlog that listen() gives (net.core.somaxconn).
    somaxconn: int = 4096
    # Memory for options and ancillary data of one socket (net.core.optmem_max).
    optmem_max: int = 131072
    # Open descriptors of one host (RLIMIT_NOFILE).
    nofile: int = 1024 * 1024
    # The largest packet of an interface to other hosts.
    mtu: int = 1500
    # Groups of IPv4 that one socket may join (net.ipv4.igmp_max_memberships).
    igmp_max_memberships: int = 20
    # The time to live of what is sent (net.ipv4.ip_default_ttl, net.ipv6.conf.default.hop_limit).
    default_ttl: int = 64
    # How often a SYN is repeated, the first few times a second apart, and a SYN|ACK.
    tcp_syn_retries: int = 6
    tcp_syn_linear_timeouts: int = 4
    tcp_synack_retries: int = 5
    # Whether a flooded listener answers SYNs that it has no room for with cookies.
    tcp_syncookies: bool = True
    # How long data is repeated, as a number of retransmissions that begin 200 ms apart and double;
    # of a socket that nobody refers to any more (0: 8).
    tcp_retries2: int = 15
    tcp_orphan_retries: int = 0
    # Seconds that a closed connection waits for the peer's FIN.
    tcp_fin_timeout: int = 60
    # Keepalive: seconds of silence before the first probe, between probes, and how many.
    tcp_keepalive_time: int = 7200
    tcp_keepalive_intvl: int = 75
    tcp_keepalive_probes: int = 9
    # Whether a connection that was silent for a while starts slowly again.
    tcp_slow_start_after_idle: bool = True
    # Names for TCP_CONGESTION, the default first (net.ipv4.tcp_available_congestion_control).
    congestion_controls: tuple[str, ...] = ("cubic", "reno")
