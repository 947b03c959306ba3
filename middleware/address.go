package middleware

import (
	"iter"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const (
	// maxHops is how many proxies in a row are looked at. Whoever sends more
	// addresses than that has made them up.
	maxHops = 32

	// maxHop is longer than any address with brackets and a port.
	maxHop = 64
)

// ClientIP returns the address of whoever asks, as it is kept with their
// session: by [Config.ClientIP] or [Config.TrustedProxies], else the
// connection's. It is for [Config.Limit].
func (a *Auth) ClientIP(r *http.Request) string { return a.clientIP(r) }

// setClientIP decides where clients' addresses come from.
func (a *Auth) setClientIP(cfg *Config, m *mistakes) {
	var trusted []netip.Prefix
	for i, p := range cfg.TrustedProxies {
		clean := unmapped(p)
		switch {
		case !clean.IsValid():
			m.add(`TrustedProxies[%d]: got no network, want one such as netip.MustParsePrefix("10.0.0.0/8")`, i)
		case clean.Bits() == 0:
			m.add("TrustedProxies[%d]: got %v, which is everybody, so that anyone could choose their address; want the networks of your proxies alone, or ClientIP if their addresses cannot be known", i, p)
		default:
			trusted = append(trusted, clean)
		}
	}
	if len(cfg.TrustedProxies) > 0 && (cfg.ClientIP != nil || cfg.Session.ClientIP != nil) {
		m.add("TrustedProxies: want it empty if there is a ClientIP, which finds the address by its own means")
	}
	switch {
	case cfg.ClientIP != nil:
		a.clientIP = cfg.ClientIP
	case cfg.Session.ClientIP != nil:
		a.clientIP = cfg.Session.ClientIP
	default:
		a.clientIP = func(r *http.Request) string { return forwardedFor(r, trusted) }
	}
}

// unmapped returns the IPv4 network that p is, if it is written as an IPv6 one.
func unmapped(p netip.Prefix) netip.Prefix {
	if !p.Addr().Is4In6() {
		return p
	}
	// With fewer bits it holds all of IPv4, and more.
	return netip.PrefixFrom(p.Addr().Unmap(), max(p.Bits()-96, 0))
}

// forwardedFor returns the address of the connection or, if that is of a
// trusted proxy, the one from which the first of the trusted proxies in a row
// got the request. Each of them writes at the right of X-Forwarded-For whom it
// was asked by; what stands left of the first that is not trusted was sent by
// that client, who may write there whatever they like.
func forwardedFor(r *http.Request, trusted []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if len(trusted) == 0 {
		return host
	}
	client, err := netip.ParseAddr(host)
	if err != nil {
		return host // such as a socket in the file system
	}
	client = client.Unmap()
	hops := 0
	for text := range fromRight(r.Header["X-Forwarded-For"]) {
		if hops++; hops > maxHops || !isTrusted(client, trusted) {
			break
		}
		hop, ok := parseHop(text)
		if !ok {
			// A trusted proxy did not say, in a way that can be read, whom it was
			// asked by. What stands left of that is not known to be anybody's.
			break
		}
		client = hop
	}
	return client.String()
}

// fromRight yields the parts of a list, last first. Several lines are one list.
func fromRight(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			for more := true; more; {
				part := line
				comma := strings.LastIndexByte(line, ',')
				if more = comma >= 0; more {
					line, part = line[:comma], line[comma+1:]
				}
				if !yield(part) {
					return
				}
			}
		}
	}
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	addr = addr.WithZone("") // no prefix contains an address with one
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address as proxies write it: alone, in brackets, or with a
// port. A zone may hold any text, and means nothing to anyone but the machine
// that wrote it.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	if len(s) > maxHop {
		return netip.Addr{}, false
	}
	var addr netip.Addr
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		addr = withPort.Addr()
	} else {
		bare, bracketed := strings.CutPrefix(s, "[")
		if bracketed {
			if bare, bracketed = strings.CutSuffix(bare, "]"); !bracketed {
				return netip.Addr{}, false
			}
		}
		if addr, err = netip.ParseAddr(bare); err != nil || strings.HasPrefix(s, "[") && !addr.Is6() {
			return netip.Addr{}, false
		}
	}
	return addr.Unmap(), addr.Zone() == ""
}
