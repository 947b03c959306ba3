package session_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

func TestAddresses(t *testing.T) {
	for _, test := range []struct{ ip, kept, network string }{
		{"203.0.113.77", "203.0.113.77", "203.0.113.0"},
		{"10.255.255.255", "10.255.255.255", "10.255.255.0"},
		{"::ffff:203.0.113.77", "::ffff:203.0.113.77", "203.0.113.0"},
		{"::ffff:cb00:714d", "::ffff:cb00:714d", "203.0.113.0"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"},
		{"2001:DB8:FFFF:FFFF::1", "2001:DB8:FFFF:FFFF::1", "2001:db8:ffff::"},
		{"fe80::1%eth0", "fe80::1%eth0", "fe80::"},
		{"::ffff:203.0.113.77%eth0", "::ffff:203.0.113.77%eth0", "203.0.113.0"},
		{"::1", "::1", "::"},
		{" 203.0.113.77 ", " 203.0.113.77 ", "203.0.113.0"},
		{"", "", ""},
		// Of what is no address nobody knows what it says of a person.
		{"203.0.113.77:4711", "203.0.113.77:4711", ""},
		{"[2001:db8::1]", "[2001:db8::1]", ""},
		{"203.0.113.77, 10.0.0.1", "203.0.113.77, 10.0.0.1", ""},
		{"203.0.113.077", "203.0.113.077", ""},
		{"3405803853", "3405803853", ""},
		{"ada.example.com", "ada.example.com", ""},
		{"@", "@", ""},
		{strings.Repeat("9", 100), strings.Repeat("9", 45), ""},
	} {
		for policy, want := range map[session.AddressPolicy]string{
			session.KeepAddress: test.kept, session.TruncateAddress: test.network, session.DropAddress: "",
		} {
			w, b := newWorld(t, func(c *session.Config) {
				c.Addresses = policy
				c.ClientIP = func(*http.Request) string { return test.ip }
			}), newBrowser(t)
			if s := w.login(b); s.IP != want {
				t.Errorf("policy %d: of %q is kept %q, want %q", policy, test.ip, s.IP, want)
			}
			if err := b.do("POST", w.m.Renew); err != nil {
				t.Fatal(err)
			}
			if s := w.wantUser(b, w.m).Session; s.IP != want {
				t.Errorf("policy %d: after a renewal of %q there is %q, want %q", policy, test.ip, s.IP, want)
			}
		}
	}
}

// What remembers a browser, and the sessions that come of it, have no more of
// its address.
func TestAddressesOfRememberedBrowsers(t *testing.T) {
	for policy, want := range map[session.AddressPolicy]string{session.TruncateAddress: "192.0.2.0", session.DropAddress: ""} {
		w, b := newRemembering(t)
		m := w.manager(func(c *session.Config) {
			c.Addresses = policy
			c.ClientIP = func(*http.Request) string { return "192.0.2.77" }
		})
		if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
			return m.BeginRemembered(rw, r, &store.Session{UserID: w.user.ID})
		}); err != nil {
			t.Fatal(err)
		}
		b.forget(cookieName)
		if err := b.do("GET", func(rw http.ResponseWriter, r *http.Request) error {
			f, _, err := m.Restore(rw, r)
			if err == nil && f.Session.IP != want {
				t.Errorf("policy %d: the session has %q, want %q", policy, f.Session.IP, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, f := range w.families() {
			if f.IP != want {
				t.Errorf("policy %d: remembered with %q, want %q", policy, f.IP, want)
			}
		}
	}
}

func TestAddressPolicy(t *testing.T) {
	for policy, good := range map[session.AddressPolicy]bool{
		session.KeepAddress: true, session.TruncateAddress: true, session.DropAddress: true, 3: false, 255: false,
	} {
		_, err := session.New(session.Config{Store: memstore.New(), Secret: secretA, Addresses: policy})
		if good && err != nil || !good && (err == nil || !strings.Contains(err.Error(), "Addresses: want KeepAddress, TruncateAddress or DropAddress; got")) {
			t.Errorf("%d: got %v, want good: %v", policy, err, good)
		}
	}
}
