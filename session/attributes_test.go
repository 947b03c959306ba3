package session_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"github.com/gorilla/sessions"
)

// Every cookie that is set, in every way that Config has.
func TestCookieAttributes(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*session.Config)
		prefix string // of the session's cookie
		host   string // of those of a login under way
		want   string // what the session's ends with
	}{
		{"default", func(*session.Config) {}, "__Host-", "__Host-", "; HttpOnly; Secure; SameSite=Lax"},
		{"insecure", func(c *session.Config) { c.Insecure = true }, "", "", "; HttpOnly; SameSite=Lax"},
		{"domain", func(c *session.Config) { c.Domain = "example.com" }, "__Secure-", "__Host-", "; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"strict", func(c *session.Config) { c.SameSite = http.SameSiteStrictMode }, "__Host-", "__Host-", "; HttpOnly; Secure; SameSite=Strict"},
		{"strict, insecure", func(c *session.Config) { c.SameSite, c.Insecure = http.SameSiteStrictMode, true }, "", "", "; HttpOnly; SameSite=Strict"},
		{"strict, domain", func(c *session.Config) { c.SameSite, c.Domain = http.SameSiteStrictMode, "a.example.com" }, "__Secure-", "__Host-", "; Domain=a.example.com; HttpOnly; Secure; SameSite=Strict"},
		{"framed", func(c *session.Config) { c.SameSite, c.Partitioned = http.SameSiteNoneMode, true }, "__Host-", "__Host-", "; HttpOnly; Secure; SameSite=None; Partitioned"},
		{"partitioned", func(c *session.Config) { c.Partitioned = true }, "__Host-", "__Host-", "; HttpOnly; Secure; SameSite=Lax; Partitioned"},
		{"gorilla", func(c *session.Config) { c.Cookies = sessions.NewCookieStore(gorillaKey); c.Domain = "example.com" }, "__Secure-", "__Host-", "; Domain=example.com; HttpOnly; Secure; SameSite=Lax"},
		{"gorilla, framed", func(c *session.Config) {
			c.Cookies = sessions.NewCookieStore(gorillaKey)
			c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
		}, "__Host-", "__Host-", "; HttpOnly; Secure; SameSite=None; Partitioned"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, b := newWorld(t, test.change, func(c *session.Config) { c.Name, c.Remember = "id", 60*24*time.Hour }), newBrowser(t)
			name := test.prefix + "id"
			wantLine := func(step, name, value, age, end string) {
				t.Helper()
				want := name + "=" + value + "; Path=/; Max-Age=" + age + end
				for _, line := range b.header["Set-Cookie"] {
					if line == want {
						return
					}
				}
				t.Errorf("%s: got %q, want %q among them", step, b.header["Set-Cookie"], want)
			}
			w.login(b)
			wantLine("login", name, b.value(name), "2592000", test.want)
			w.wantUser(b, w.m)
			if err := b.do("POST", w.m.Renew); err != nil {
				t.Fatal(err)
			}
			wantLine("renewal", name, b.value(name), "2592000", test.want)
			w.clock.add(time.Hour)
			next := w.manager(func(c *session.Config) { c.Secret, c.OldSecrets = secretB, []string{secretA} })
			before := b.value(name)
			w.touch(b, next)
			wantLine("sent again", name, b.value(name), "2588400", test.want)
			if b.value(name) == before {
				t.Error("not marked anew")
			}
			if err := b.do("POST", func(rw http.ResponseWriter, r *http.Request) error {
				return w.m.BeginRemembered(rw, r, &store.Session{UserID: w.user.ID, AuthTime: w.clock.now()})
			}); err != nil {
				t.Fatal(err)
			}
			wantLine("remembered", name+"-remember", b.value(name+"-remember"), "5184000", test.want)

			hostOnly := "; HttpOnly; Secure; SameSite=Lax"
			if test.host == "" {
				hostOnly = "; HttpOnly; SameSite=Lax"
			}
			flow := session.Flow{Purpose: session.Login, Provider: "test", State: session.NewState()}
			if err := b.begin(w.m, flow); err != nil {
				t.Fatal(err)
			}
			flows := b.names(test.host + "id-flow-")
			if len(flows) != 1 {
				t.Fatalf("got flows %v", flows)
			}
			wantLine("flow", flows[0], b.value(flows[0]), "600", hostOnly)
			if err := b.keepPost(w.m, url.Values{"state": {flow.State}, "code": {"c"}}); err != nil {
				t.Fatal(err)
			}
			wantLine("post", test.host+"id-post", b.value(test.host+"id-post"), "60", hostOnly)
			if _, err := b.takePost(w.m, flow.State); err != nil {
				t.Fatal(err)
			}
			wantLine("post is over", test.host+"id-post", "", "0", hostOnly)
			if _, err := b.callback(w.m, flow.State); err != nil {
				t.Fatal(err)
			}
			wantLine("flow is over", flows[0], "", "0", hostOnly)

			// Logging out must name the same cookies, or the browser keeps them.
			if err := b.do("POST", w.m.End); err != nil {
				t.Fatal(err)
			}
			wantLine("logout", name, "", "0", test.want)
			wantLine("logout", name+"-remember", "", "0", test.want)
			if len(b.header["Set-Cookie"]) != 2 {
				t.Errorf("logout: got %q", b.header["Set-Cookie"])
			}
		})
	}
}

// A host below the domain can plant another cookie of that name, with a path. It
// logs nobody in, and nobody in as someone else.
func TestTwoCookiesOfADomain(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.Domain = "example.com" })
	b, mallory := newBrowser(t), newBrowser(t)
	s := w.login(b)
	w.loginAs(mallory, w.m, w.newUser("mallory"))
	w.wantUser(b, w.m)
	tossed := b.clone()
	tossed.cookies = append(mallory.clone().cookies, tossed.cookies...)
	w.wantNone(tossed, w.m)
	if err := tossed.do("POST", w.m.Renew); !errors.Is(err, session.ErrNone) || len(tossed.header) != 0 {
		t.Errorf("renewal: got %v, header %v", err, tossed.header)
	}
	w.wantUser(b, w.m)
	// To log out ends both.
	if err := tossed.do("POST", w.m.End); err != nil {
		t.Fatal(err)
	}
	w.wantNone(b, w.m)
	w.wantNone(mallory, w.m)
	w.wantOnly()
	if s.ID == "" {
		t.Error("no session began")
	}
}

// What an app was set up with before is ignored, and logs nobody in.
func TestCookieOfAnotherScope(t *testing.T) {
	w, b := newWorld(t), newBrowser(t)
	w.login(b)
	domain := w.manager(func(c *session.Config) { c.Domain = "example.com" })
	named := w.manager(func(c *session.Config) { c.Name = "other" })
	for _, m := range []*session.Manager{domain, named} {
		w.wantNone(b, m)
		after := b.clone()
		if err := after.do("POST", m.End); err != nil || len(after.header) != 0 {
			t.Errorf("got %v, header %v", err, after.header)
		}
		w.loginAs(after, m, w.user)
		w.wantUser(after, m)
		w.wantUser(after, w.m) // the one before is as good as it was
	}
	w.loginAs(b, domain, w.user)
	if got := b.names(""); len(got) != 2 || got[0] != cookieName || got[1] != "__Secure-session" {
		t.Errorf("got cookies %v", got)
	}
}

func TestCookieConfig(t *testing.T) {
	domain := func(d string) func(*session.Config) { return func(c *session.Config) { c.Domain = d } }
	for _, test := range []struct {
		name   string
		change func(*session.Config)
		want   string // "" if it is good
	}{
		{"domain", domain("example.com"), ""},
		{"long domain", domain("a-1.b.c.example.co.uk"), ""},
		{"domain of the app's own network", domain("app.internal"), ""},
		{"punycode", domain("xn--bcher-kva.example"), ""},
		{"below a public suffix", domain("mine.github.io"), ""},
		{"insecure", func(c *session.Config) { c.Domain, c.Insecure = "example.com", true }, "Domain: want it empty with Insecure"},
		{"leading dot", domain(".example.com"), "Domain: want it without the dot in front"},
		{"trailing dot", domain("example.com."), "Domain: want it without the dot at the end"},
		{"dot", domain("."), "Domain: "},
		{"two dots", domain("example..com"), "Domain: want the name of a host"},
		{"capitals", domain("Example.com"), "Domain: want it in lower case"},
		{"port", domain("example.com:443"), "Domain: want the name of a host alone"},
		{"URL", domain("https://example.com"), "Domain: want the name of a host alone"},
		{"path", domain("example.com/a"), "Domain: want the name of a host alone"},
		{"IPv4", domain("192.0.2.1"), "Domain: want the name of a host, not an address"},
		{"IPv4 of another spelling", domain("0xc0.0.1"), "Domain: want the name of a host, not an address"},
		{"IPv6", domain("2001:db8::1"), "Domain: want the name of a host, not an address"},
		{"IPv6 as in a URL", domain("[2001:db8::1]"), "Domain: want the name of a host, not an address"},
		{"umlaut", domain("bücher.example"), `Domain: want it as browsers send it, such as "xn--bcher-kva.example"`},
		{"semicolon", domain("example.com; Path=/x"), "Domain: want the name of a host"},
		{"attribute", domain("example.com;secure"), "Domain: want the name of a host"},
		{"newline", domain("example.com\r\nset-cookie: a"), "Domain: want the name of a host"},
		{"underscore", domain("my_app.example.com"), "Domain: want the name of a host"},
		{"hyphen in front", domain("-a.example.com"), "Domain: want the name of a host"},
		{"hyphen at the end", domain("a-.example.com"), "Domain: want the name of a host"},
		{"star", domain("*.example.com"), "Domain: want the name of a host"},
		{"long label", domain(strings.Repeat("a", 64) + ".example.com"), "Domain: want the name of a host"},
		{"long name", domain(strings.Repeat("a.", 125) + "example.com"), "Domain: want the name of a host"},
		{"localhost", domain("localhost"), "Domain: want the name of a host with a dot in it"},
		{"com", domain("com"), "Domain: want the name of a host with a dot in it"},
		{"co.uk", domain("co.uk"), "Domain: want a domain of your own"},
		{"github.io", domain("github.io"), "Domain: want a domain of your own"},
		{"a city of Japan", domain("chuo.tokyo.jp"), "Domain: want a domain of your own"},
		{"lax", func(c *session.Config) { c.SameSite = http.SameSiteLaxMode }, ""},
		{"strict", func(c *session.Config) { c.SameSite = http.SameSiteStrictMode }, ""},
		{"none", func(c *session.Config) { c.SameSite = http.SameSiteNoneMode }, "SameSite: want Partitioned"},
		{"none, insecure", func(c *session.Config) { c.SameSite, c.Insecure = http.SameSiteNoneMode, true }, "SameSite: want Partitioned"},
		{"none, partitioned", func(c *session.Config) { c.SameSite, c.Partitioned = http.SameSiteNoneMode, true }, ""},
		{"no attribute", func(c *session.Config) { c.SameSite = http.SameSiteDefaultMode }, "SameSite: want http.SameSiteLaxMode"},
		{"unknown", func(c *session.Config) { c.SameSite = 9 }, "SameSite: want http.SameSiteLaxMode"},
		{"negative", func(c *session.Config) { c.SameSite = -1 }, "SameSite: want http.SameSiteLaxMode"},
		{"partitioned, insecure", func(c *session.Config) { c.Partitioned, c.Insecure = true, true }, "Partitioned: want it false with Insecure"},
		{"partitioned, domain", func(c *session.Config) { c.Partitioned, c.Domain = true, "example.com" }, "Partitioned: want it false with Domain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := session.Config{Store: memstore.New(), Secret: secretA}
			test.change(&cfg)
			m, err := session.New(cfg)
			if test.want == "" && (err != nil || m == nil) {
				t.Errorf("got %v", err)
			}
			if test.want != "" && (err == nil || m != nil || !strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "\n") > 0) {
				t.Errorf("got %v, want %q alone", err, test.want)
			}
		})
	}
}
