"""Well-known services and protocols, as /etc/services and /etc/protocols list them.

The usual ones; a host that needs others has them by number.
"""

from __future__ import annotations

import attrs

# name port/protocol aliases...
_SERVICES = """
tcpmux 1/tcp
echo 7/tcp
echo 7/udp
discard 9/tcp sink null
discard 9/udp sink null
systat 11/tcp users
daytime 13/tcp
daytime 13/udp
netstat 15/tcp
qotd 17/tcp quote
chargen 19/tcp ttytst source
chargen 19/udp ttytst source
ftp-data 20/tcp
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
time 37/tcp timserver
time 37/udp timserver
whois 43/tcp nicname
tacacs 49/tcp
tacacs 49/udp
domain 53/tcp
domain 53/udp
bootps 67/udp
bootpc 68/udp
tftp 69/udp
gopher 70/tcp
finger 79/tcp
http 80/tcp www
kerberos 88/tcp kerberos5 krb5 kerberos-sec
kerberos 88/udp kerberos5 krb5 kerberos-sec
pop3 110/tcp pop-3
sunrpc 111/tcp portmapper
sunrpc 111/udp portmapper
auth 113/tcp authentication tap ident
nntp 119/tcp readnews untp
ntp 123/udp
epmap 135/tcp loc-srv
netbios-ns 137/udp
netbios-dgm 138/udp
netbios-ssn 139/tcp
imap2 143/tcp imap
snmp 161/tcp
snmp 161/udp
snmp-trap 162/tcp snmptrap
snmp-trap 162/udp snmptrap
xdmcp 177/udp
bgp 179/tcp
qmtp 209/tcp
z3950 210/tcp wais
ptp-event 319/udp
ptp-general 320/udp
ldap 389/tcp
ldap 389/udp
svrloc 427/tcp
svrloc 427/udp
https 443/tcp
https 443/udp
microsoft-ds 445/tcp
kpasswd 464/tcp
kpasswd 464/udp
submissions 465/tcp ssmtp smtps urd
isakmp 500/udp
rtsp 554/tcp
rtsp 554/udp
asf-rmcp 623/udp
ipp 631/tcp
exec 512/tcp
biff 512/udp comsat
login 513/tcp
who 513/udp whod
shell 514/tcp cmd syslog
syslog 514/udp
printer 515/tcp spooler
talk 517/udp
ntalk 518/udp
route 520/udp router routed
uucp 540/tcp uucpd
klogin 543/tcp
kshell 544/tcp krcmd
dhcpv6-client 546/udp
dhcpv6-server 547/udp
afpovertcp 548/tcp
nntps 563/tcp snntp
submission 587/tcp
ldaps 636/tcp
ldaps 636/udp
kerberos-adm 749/tcp
domain-s 853/tcp
domain-s 853/udp
rsync 873/tcp
ftps-data 989/tcp
ftps 990/tcp
telnets 992/tcp
imaps 993/tcp
pop3s 995/tcp
socks 1080/tcp
openvpn 1194/tcp
openvpn 1194/udp
rmiregistry 1099/tcp
ms-sql-s 1433/tcp
ms-sql-m 1434/udp
l2f 1701/udp l2tp
radius 1812/tcp
radius 1812/udp
radius-acct 1813/tcp radacct
radius-acct 1813/udp radacct
nfs 2049/tcp
nfs 2049/udp
cvspserver 2401/tcp
dict 2628/tcp
gpsd 2947/tcp
isns 3205/tcp
isns 3205/udp
iscsi-target 3260/tcp
mysql 3306/tcp
ms-wbt-server 3389/tcp
nut 3493/tcp
nut 3493/udp
distcc 3632/tcp
daap 3689/tcp
svn 3690/tcp subversion
sieve 4190/tcp
epmd 4369/tcp
ntske 4460/tcp
ipsec-nat-t 4500/udp
iax 4569/udp
sip 5060/tcp
sip 5060/udp
sip-tls 5061/tcp
sip-tls 5061/udp
xmpp-client 5222/tcp jabber-client
xmpp-server 5269/tcp jabber-server
mdns 5353/udp
postgresql 5432/tcp postgres
amqps 5671/tcp
amqp 5672/tcp
x11 6000/tcp x11-0
redis 6379/tcp
ircs-u 6697/tcp
font-service 7100/tcp xfs
http-alt 8080/tcp webcache
puppet 8140/tcp
bacula-dir 9101/tcp
bacula-fd 9102/tcp
bacula-sd 9103/tcp
nbd 10809/tcp
zabbix-agent 10050/tcp
zabbix-trapper 10051/tcp
hkp 11371/tcp
spamd 783/tcp
munin 4949/tcp lrrd
nrpe 5666/tcp
syslog-tls 6514/tcp
ircd 6667/tcp
git 9418/tcp
webmin 10000/tcp
"""
# name number aliases...
_PROTOCOLS = """
ip 0 IP
hopopt 0 HOPOPT
icmp 1 ICMP
igmp 2 IGMP
ipencap 4 IP-ENCAP
tcp 6 TCP
egp 8 EGP
udp 17 UDP
dccp 33 DCCP
ipv6 41 IPv6
ipv6-route 43 IPv6-Route
ipv6-frag 44 IPv6-Frag
rsvp 46 RSVP
gre 47 GRE
esp 50 IPSEC-ESP
ah 51 IPSEC-AH
ipv6-icmp 58 IPv6-ICMP
ipv6-nonxt 59 IPv6-NoNxt
ipv6-opts 60 IPv6-Opts
ospf 89 OSPFIGP
pim 103 PIM
vrrp 112 VRRP
l2tp 115 L2TP
sctp 132 SCTP
udplite 136 UDPLite
mptcp 262 MPTCP
"""


@attrs.frozen
class Service:
    """A line of /etc/services."""

    name: str
    port: int
    protocol: str
    aliases: tuple[str, ...] = ()


def _service(line: str) -> Service:
    name, port, *aliases = line.split()
    number, _, protocol = port.partition("/")
    return Service(name, int(number), protocol, tuple(aliases))


SERVICES: tuple[Service, ...] = tuple(_service(line) for line in _SERVICES.split("\n") if line)
PROTOCOLS: dict[str, int] = {
    name: int(number)
    for first, number, *aliases in (line.split() for line in _PROTOCOLS.split("\n") if line)
    for name in (first, *aliases)
}


def by_name(name: str, protocol: str | None = None) -> Service | None:
    """The first service of that name or alias."""
    return next(
        (
            service
            for service in SERVICES
            if (name == service.name or name in service.aliases)
            and protocol in (None, service.protocol)
        ),
        None,
    )


def by_port(port: int, protocol: str | None = None) -> Service | None:
    """The first service of that port."""
    return next(
        (
            service
            for service in SERVICES
            if port == service.port and protocol in (None, service.protocol)
        ),
        None,
    )
