package session

import (
	"net/http"
	"net/netip"
	"strings"
)

// AddressPolicy says how much of a client's address is kept with a session.
type AddressPolicy uint8

const (
	KeepAddress     AddressPolicy = iota // the whole
	TruncateAddress                      // the network: 24 bits of an IPv4 address, 48 of an IPv6 one, and zeros
	DropAddress                          // nothing
)

const (
	networkOfIPv4 = 24
	networkOfIPv6 = 48
)

// address returns what is kept of the address of whoever asks.
func (m *Manager) address(r *http.Request) string {
	switch m.cfg.Addresses {
	case DropAddress:
		return ""
	case TruncateAddress:
		return network(m.cfg.ClientIP(r))
	}
	return clean(m.cfg.ClientIP(r), maxIP)
}

// network returns the address of the network that ip is in, or "": of what is
// no address, nobody knows how much names a person.
func network(ip string) string {
	a, err := netip.ParseAddr(strings.TrimSpace(ip))
	if err != nil {
		return ""
	}
	bits := networkOfIPv6
	if a = a.Unmap().WithZone(""); a.Is4() {
		bits = networkOfIPv4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.Addr().String()
}
