package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store/memstore"
)

func networks(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// behind returns an app whose proxies are in those networks.
func behind(t testing.TB, texts ...string) *app {
	t.Helper()
	return newApp(t, func(c *middleware.Config) { c.TrustedProxies = networks(texts...) })
}

// from is a request of that connection with those lines of X-Forwarded-For.
func from(connection string, lines ...string) step {
	return func(r *http.Request) {
		r.RemoteAddr = connection
		r.Header["X-Forwarded-For"] = lines
	}
}

func TestClientIP(t *testing.T) {
	auth := behind(t, "10.0.0.0/8", "2001:db8:aaaa::/48", "::ffff:172.16.0.0/108").auth
	for _, tt := range []struct {
		name, connection string
		lines            []string
		want             string
	}{
		{"nobody's proxy", "203.0.113.9:1234", nil, "203.0.113.9"},
		{"a client that says so", "203.0.113.9:1234", []string{"1.2.3.4"}, "203.0.113.9"},
		{"a client that says it is a proxy", "203.0.113.9:1234", []string{"1.2.3.4, 10.0.0.1"}, "203.0.113.9"},
		{"one proxy", "10.0.0.1:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"one proxy, and what the client sent", "10.0.0.1:80", []string{"1.2.3.4, 198.51.100.7"}, "198.51.100.7"},
		{"what the client sent is the proxy's", "10.0.0.1:80", []string{"10.0.0.1, 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.0.0.1:80", []string{"1.2.3.4, 198.51.100.7, 10.9.9.9"}, "198.51.100.7"},
		{"proxies of two networks", "10.0.0.1:80", []string{"198.51.100.7,2001:db8:aaaa::1 ,\t10.9.9.9"}, "198.51.100.7"},
		{"several lines", "10.0.0.1:80", []string{"1.2.3.4", "5.6.7.8, 198.51.100.7", "10.9.9.9"}, "198.51.100.7"},
		{"a client in the proxies' network", "10.0.0.1:80", []string{"10.1.1.1"}, "10.1.1.1"},
		{"nothing but proxies", "10.0.0.1:80", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"no header", "10.0.0.1:80", nil, "10.0.0.1"},
		{"an empty header", "10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"nothing at the end", "10.0.0.1:80", []string{"198.51.100.7,"}, "10.0.0.1"},
		{"nothing in the middle", "10.0.0.1:80", []string{"1.2.3.4,,10.2.2.2"}, "10.2.2.2"},
		{"an empty line at the end", "10.0.0.1:80", []string{"198.51.100.7", ""}, "10.0.0.1"},
		{"no address", "10.0.0.1:80", []string{"1.2.3.4, unknown, 10.2.2.2"}, "10.2.2.2"},
		{"a name", "10.0.0.1:80", []string{"example.com"}, "10.0.0.1"},
		{"markup", "10.0.0.1:80", []string{"<script>alert(1)</script>"}, "10.0.0.1"},
		{"with a port", "10.0.0.1:80", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"half a port", "10.0.0.1:80", []string{"198.51.100.7:"}, "10.0.0.1"},
		{"no port", "10.0.0.1:80", []string{"198.51.100.7:99999"}, "10.0.0.1"},
		{"IPv6", "10.0.0.1:80", []string{"2001:db8::5"}, "2001:db8::5"},
		{"IPv6 in brackets", "10.0.0.1:80", []string{"[2001:db8::5]"}, "2001:db8::5"},
		{"IPv6 with a port", "10.0.0.1:80", []string{"[2001:db8::5]:443"}, "2001:db8::5"},
		{"half a bracket", "10.0.0.1:80", []string{"[2001:db8::5"}, "10.0.0.1"},
		{"IPv4 in brackets", "10.0.0.1:80", []string{"[198.51.100.7]"}, "10.0.0.1"},
		{"a zone, which is any text", "10.0.0.1:80", []string{"fe80::1%<b>"}, "10.0.0.1"},
		{"a zone and a port", "10.0.0.1:80", []string{"[fe80::1%eth0]:80"}, "10.0.0.1"},
		{"IPv4 with zeros before it", "10.0.0.1:80", []string{"198.051.100.007"}, "10.0.0.1"},
		{"IPv4 as IPv6", "10.0.0.1:80", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"a proxy's IPv4 as IPv6", "10.0.0.1:80", []string{"198.51.100.7, ::ffff:10.2.2.2"}, "198.51.100.7"},
		{"the connection's IPv4 as IPv6", "[::ffff:10.0.0.1]:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a network written as IPv6", "172.16.0.9:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a proxy by IPv6, with a zone", "[2001:db8:aaaa::1%eth0]:80", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a socket in the file system", "@", []string{"198.51.100.7"}, "@"},
		{"a connection without a port", "10.0.0.1", []string{"198.51.100.7"}, "198.51.100.7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, baseURL, nil)
			from(tt.connection, tt.lines...)(r)
			// What other proxies use is not looked at either.
			for _, name := range []string{"Forwarded", "X-Real-Ip", "True-Client-Ip", "X-Client-Ip", "X_Forwarded_For"} {
				r.Header.Set(name, "9.9.9.9")
			}
			if got := auth.ClientIP(r); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClientIPByOtherMeans(t *testing.T) {
	realIP := func(r *http.Request) string { return r.Header.Get("X-Real-Ip") }
	for name, tt := range map[string]struct {
		change func(*middleware.Config)
		want   string
	}{
		"nothing":          {func(*middleware.Config) {}, "10.0.0.1"},
		"ClientIP":         {func(c *middleware.Config) { c.ClientIP = realIP }, "9.9.9.9"},
		"Session.ClientIP": {func(c *middleware.Config) { c.Session.ClientIP = realIP }, "9.9.9.9"},
		"TrustedProxies":   {func(c *middleware.Config) { c.TrustedProxies = networks("10.0.0.0/8") }, "198.51.100.7"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, tt.change)
			a.github.person("ada", ada)
			b := a.browser()
			proxied := func(r *http.Request) {
				from("10.0.0.1:80", "198.51.100.7")(r)
				r.Header.Set("X-Real-Ip", "9.9.9.9")
			}
			b.callback("github", b.begin("github"), "ada", proxied)
			list, err := a.auth.Sessions().List(t.Context(), b.whoami())
			if err != nil || len(list) != 1 || list[0].IP != tt.want {
				t.Errorf("got sessions %+v, %v, want one from %s", list, err, tt.want)
			}
			r := httptest.NewRequest(http.MethodGet, baseURL, nil)
			if proxied(r); a.auth.ClientIP(r) != tt.want {
				t.Errorf("got %s, want %s", a.auth.ClientIP(r), tt.want)
			}
		})
	}
}

func TestTrustedProxiesThatNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*middleware.Config)
		want   []string
	}{
		"no network":           {func(c *middleware.Config) { c.TrustedProxies = make([]netip.Prefix, 1) }, []string{"TrustedProxies[0]", "10.0.0.0/8"}},
		"everybody":            {func(c *middleware.Config) { c.TrustedProxies = networks("10.0.0.0/8", "0.0.0.0/0") }, []string{"TrustedProxies[1]", "everybody", "ClientIP"}},
		"everybody by IPv6":    {func(c *middleware.Config) { c.TrustedProxies = networks("::/0") }, []string{"TrustedProxies[0]", "everybody"}},
		"all of IPv4 as IPv6":  {func(c *middleware.Config) { c.TrustedProxies = networks("::ffff:0.0.0.0/96") }, []string{"TrustedProxies[0]", "everybody"}},
		"all of IPv4 and more": {func(c *middleware.Config) { c.TrustedProxies = networks("::ffff:0.0.0.0/90") }, []string{"TrustedProxies[0]", "everybody"}},
		"ClientIP as well": {func(c *middleware.Config) {
			c.TrustedProxies, c.ClientIP = networks("10.0.0.0/8"), func(*http.Request) string { return "" }
		}, []string{"TrustedProxies", "ClientIP"}},
		"Session.ClientIP as well": {func(c *middleware.Config) {
			c.TrustedProxies, c.Session.ClientIP = networks("10.0.0.0/8"), func(*http.Request) string { return "" }
		}, []string{"TrustedProxies", "ClientIP"}},
	} {
		cfg := middleware.Config{BaseURL: baseURL, Secret: secret, Store: memstore.New()}
		tt.change(&cfg)
		_, err := middleware.New(cfg, newFake("github"))
		if err == nil {
			t.Errorf("%s: got no error", name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no word of %s in %v", name, want, err)
			}
		}
	}
}

// What New was given cannot be changed later.
func TestTrustedProxiesChangedLater(t *testing.T) {
	list := networks("10.0.0.0/8")
	auth, err := middleware.New(middleware.Config{BaseURL: baseURL, Secret: secret, Store: memstore.New(), TrustedProxies: list}, newFake("github"))
	if err != nil {
		t.Fatal(err)
	}
	list[0] = netip.MustParsePrefix("203.0.113.0/24")
	r := httptest.NewRequest(http.MethodGet, baseURL, nil)
	if from("203.0.113.9:1", "1.2.3.4")(r); auth.ClientIP(r) != "203.0.113.9" {
		t.Errorf("got %s", auth.ClientIP(r))
	}
}

// A client that wants to be counted as another each time, through a proxy that
// leaves what it sent where it was.
func TestClientChoosesItsAddress(t *testing.T) {
	for name, networks := range map[string][]string{"no proxy": nil, "a proxy": {"10.0.0.0/8"}} {
		t.Run(name, func(t *testing.T) {
			a := behind(t, networks...)
			a.github.person("ada", ada)
			b := a.browser()
			for _, forged := range []string{"1.2.3.4", "10.0.0.7", "127.0.0.1", "evil, 10.0.0.7", strings.Repeat("10.0.0.7,", 4000)} {
				sent := from("203.0.113.9:1234", forged)
				if networks != nil {
					sent = from("10.0.0.1:80", forged, "203.0.113.9")
				}
				if resp := b.callback("github", b.begin("github"), "ada", sent); resp.StatusCode != http.StatusSeeOther {
					t.Fatalf("got %d: %s", resp.StatusCode, body(t, resp))
				}
				list, err := a.auth.Sessions().List(t.Context(), b.whoami())
				if err != nil || len(list) != 1 || list[0].IP != "203.0.113.9" {
					t.Errorf("sent %.40q: got sessions %+v, %v, want one from 203.0.113.9", forged, list, err)
				}
			}
		})
	}
}

// A header of all that a server lets through, each part of it as costly as it
// can be, costs no more than a few parts do.
func TestClientIPOfAHugeHeader(t *testing.T) {
	auth := behind(t, "10.0.0.0/8").auth
	for name, lines := range map[string][]string{
		"proxies":    {strings.Repeat("10.0.0.7,", 7000) + "10.0.0.7"},
		"one part":   {strings.Repeat("1", 64<<10)},
		"colons":     {strings.Repeat(":", 64<<10)},
		"commas":     {strings.Repeat(",", 64<<10)},
		"many lines": slicesOf("10.0.0.7", 7000),
	} {
		r := httptest.NewRequest(http.MethodGet, baseURL, nil)
		from("10.0.0.1:80", lines...)(r)
		var got string
		allocs := testing.AllocsPerRun(5, func() { got = auth.ClientIP(r) })
		if want := "10.0.0."; !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want an address of a proxy", name, got)
		}
		if allocs > 100 {
			t.Errorf("%s: got %v allocations, want at most 100", name, allocs)
		}
		began := time.Now()
		for range 100 {
			auth.ClientIP(r)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("%s: a hundred times took %v, want at most a second", name, d)
		}
	}
}

func slicesOf(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// FuzzClientIP sends any header by a proxy that adds an address to it. Nothing
// that was sent may change whose address is found.
func FuzzClientIP(f *testing.F) {
	f.Add("1.2.3.4")
	f.Add("10.0.0.1, [::1]:5, ::ffff:1.2.3.4%x")
	f.Add(strings.Repeat(",", 100))
	auth := behind(f, "10.0.0.0/8", "fc00::/7").auth
	f.Fuzz(func(t *testing.T, sent string) {
		r := httptest.NewRequest(http.MethodGet, baseURL, nil)
		for _, lines := range [][]string{{sent + ", 203.0.113.9"}, {sent, "203.0.113.9"}, {sent, "203.0.113.9,10.0.0.2"}} {
			if from("10.0.0.1:80", lines...)(r); auth.ClientIP(r) != "203.0.113.9" {
				t.Errorf("%q: got %q", lines, auth.ClientIP(r))
			}
		}
		if from("203.0.113.9:1", sent)(r); auth.ClientIP(r) != "203.0.113.9" {
			t.Errorf("%q from a client: got %q", sent, auth.ClientIP(r))
		}
		// Whatever a proxy passes on, an address comes of it.
		from("10.0.0.1:80", sent)(r)
		if got, err := netip.ParseAddr(auth.ClientIP(r)); err != nil || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q: got %v, %v, want an address", sent, got, err)
		}
	})
}
