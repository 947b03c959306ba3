package providertest

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// beginRules are the promises of Info and Begin.
func beginRules() []rule {
	return []rule{{
		"InfoNeverChanges",
		"Info does no I/O and its answer never changes.",
		func(c *trial) {
			before, first := c.requests(), c.p.Info()
			second := c.p.Info()
			if n := c.requests() - before; n != 0 {
				c.Errorf("Info made %d requests, want none", n)
			}
			c.login(c.p, person(1))
			for _, later := range []provider.Info{second, c.p.Info(), c.make().Info()} {
				if !reflect.DeepEqual(first, later) {
					c.Errorf("got %+v, then %+v", first, later)
				}
			}
		},
	}, {
		"InfoIsUsable",
		"ID is short and lower-case, Name is there, Setup and API are https URLs, Hosts are hosts.",
		func(c *trial) {
			i := c.p.Info()
			if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`).MatchString(i.ID) {
				c.Errorf("ID %q: want 1 to 40 of a-z, 0-9, _ and -, beginning with a letter or digit", i.ID)
			}
			if strings.TrimSpace(i.Name) == "" {
				c.Error("Name is empty")
			}
			for name, raw := range map[string]string{"Setup": i.Setup, "API": i.API} {
				if u, err := url.Parse(raw); raw != "" && (err != nil || !homely(u)) {
					c.Errorf("%s %q: want an https URL", name, raw)
				}
			}
			for _, host := range i.Hosts {
				if u, err := url.Parse("https://" + host); err != nil || u.Host != host || host == "" {
					c.Errorf("Hosts: %q is no host", host)
				}
			}
			if slices.Contains(i.FormerIDs, i.ID) {
				c.Errorf("FormerIDs holds the ID %q itself", i.ID)
			}
		},
	}, {
		"BeginLeadsToTheService",
		"Begin returns an absolute https URL, or an http URL on this machine, that names no user.",
		func(c *trial) {
			rd := c.begin(c.p, c.request())
			if u, err := url.Parse(rd.URL); err != nil || !homely(u) {
				c.Errorf("got the URL %q", rd.URL)
			}
		},
	}, {
		"StateComesBack",
		"The URL makes the service return State unchanged to CallbackURL.",
		func(c *trial) {
			for _, state := range []string{"plain", "a+b/c==", "a b&c=d%41#é~"} {
				req := c.request()
				req.State, req.CallbackURL = state+req.State, callbackURL+"?kept=a%20b"
				b := c.consent(c.begin(c.p, req), person(1))
				if got := b.params.Get("state"); got != req.State {
					c.Errorf("the state came back as %q, want %q", got, req.State)
				}
				if got := b.to.Scheme + "://" + b.to.Host + b.to.Path; got != callbackURL || b.to.Query().Get("kept") != "a b" {
					c.Errorf("the browser came back to %s with %v, want %s", got, b.to.Query(), req.CallbackURL)
				}
			}
		},
	}, {
		"BeginIsNewEachTime",
		"Two logins share no verifier, nonce or request token, even for the same Request.",
		func(c *trial) {
			req := c.request()
			a, b := c.begin(c.p, req), c.begin(c.p, req)
			if a.Memo != "" && a.Memo == b.Memo {
				c.Error("two logins have the same Memo")
			}
			qa, qb := query(c, a), query(c, b)
			for _, name := range []string{"code_challenge", "nonce", "oauth_token"} {
				if qa.Has(name) && qa.Get(name) == qb.Get(name) {
					c.Errorf("two logins have the same %s", name)
				}
			}
		},
	}, {
		"MemoIsShort",
		"Memo has at most 1,024 bytes.",
		func(c *trial) {
			if n := len(c.begin(c.p, c.request()).Memo); n > 1024 {
				c.Errorf("got %d bytes", n)
			}
		},
	}, {
		"SecretsStayOutOfTheURL",
		"Neither Memo, nor a PKCE verifier, nor the client secret is in the URL that the browser gets.",
		func(c *trial) {
			rd := c.begin(c.p, c.request())
			text, err := url.QueryUnescape(rd.URL)
			if err != nil {
				text = rd.URL
			}
			for _, s := range []string{rd.URL, text} {
				if rd.Memo != "" && strings.Contains(s, rd.Memo) {
					c.Error("the URL holds the Memo")
				}
				if strings.Contains(s, ClientSecret) {
					c.Error("the URL holds the client secret")
				}
			}
			q := query(c, rd)
			for name, values := range q {
				for _, v := range values {
					if q.Has("code_challenge") && challenge(v) == q.Get("code_challenge") || name == "code_verifier" {
						c.Errorf("the parameter %s is the PKCE verifier", name)
					}
				}
			}
			if q.Has("code_challenge") && q.Get("code_challenge_method") != "S256" {
				c.Errorf("code_challenge_method is %q, want S256", q.Get("code_challenge_method"))
			}
		},
	}, {
		"BeginAsksForScopes",
		"The scopes of the Request are asked for, beside those that the provider always asks for.",
		func(c *trial) {
			before := scopes(query(c, c.begin(c.p, c.request())))
			if before == "" {
				c.Skip("the service has no scopes")
			}
			req := c.request()
			req.Scopes = []string{"further.scope"}
			after := scopes(query(c, c.begin(c.p, req)))
			if !strings.Contains(after, "further.scope") || !strings.Contains(after, before) {
				c.Errorf("asked for %q without, and for %q with a further scope", before, after)
			}
		},
	}, {
		"ParamsAreAdded",
		"The Params of the Request are in the URL.",
		func(c *trial) {
			req := c.request()
			req.Params = url.Values{"ui_theme": {"a b&c"}}
			if got := query(c, c.begin(c.p, req)).Get("ui_theme"); got != "a b&c" {
				c.Errorf("got %q, want %q", got, "a b&c")
			}
		},
	}, {
		"ParamsReplaceNothing",
		"Params that name something of the protocol, such as state or redirect_uri, are refused or left out.",
		func(c *trial) {
			own := query(c, c.begin(c.p, c.request()))
			for _, name := range []string{"state", "redirect_uri", "client_id", "response_type", "code_challenge", "nonce", "oauth_token"} {
				req := c.request()
				req.Params = url.Values{name: {"theirs"}}
				rd, err := c.p.Begin(c.Context(), req)
				if err != nil {
					continue
				}
				q := query(c, rd)
				if values := q[name]; own.Has(name) && (len(values) != 1 || values[0] == "theirs") {
					c.Errorf("the parameter %s is %q", name, values)
				}
			}
		},
	}, {
		"ReauthAsksAgain",
		"With Info.Reauth, a Request for Reauth asks the service to prove the person again.",
		func(c *trial) {
			if !c.p.Info().Reauth {
				c.Skip("the service cannot be asked to prove a person again")
			}
			began := c.srv.now()
			plain, req := query(c, c.begin(c.p, c.request())), c.request()
			req.Reauth = true
			rd := c.begin(c.p, req)
			more := false
			for name, values := range query(c, rd) {
				switch name {
				case "state", "nonce", "code_challenge":
				default:
					more = more || !slices.Equal(values, plain[name])
				}
			}
			if !more {
				c.Error("the URL asks for nothing more than without Reauth")
			}
			id, _, err := c.p.Complete(c.Context(), c.callback(req, rd.Memo, c.consent(rd, person(1)).params))
			if err != nil {
				c.Fatalf("Complete: %v", err)
			}
			if !id.AuthTime.IsZero() && began.Sub(id.AuthTime) > time.Minute {
				c.Errorf("AuthTime is %v before the login began", began.Sub(id.AuthTime))
			}
		},
	}, {
		"PostsBackIsTrue",
		"Info.PostsBack says whether the service answers by POST.",
		func(c *trial) {
			b := c.consent(c.begin(c.p, c.request()), person(1))
			if want := c.p.Info().PostsBack; b.posted != want {
				c.Errorf("PostsBack is %v, and the service was asked for a POST: %v", want, b.posted)
			}
		},
	}}
}

func query(c *trial, rd provider.Redirect) url.Values {
	c.Helper()
	u, err := url.Parse(rd.URL)
	if err != nil {
		c.Fatal("Begin returned something that is no URL")
	}
	return u.Query()
}

// scopes is the parameter in which a URL has its scopes, whatever its name.
func scopes(q url.Values) string {
	for name, values := range q {
		if strings.Contains(strings.ToLower(name), "scope") {
			return values[0]
		}
	}
	return ""
}
