package providertest

import (
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gatepass/gatepass/provider"
)

// loginRules are the promises about who Complete says the person is.
func loginRules() []rule {
	return []rule{{
		"IdentityIsWhole",
		"Complete returns an Identity with the provider's ID, an issuer and a subject, and a Token.",
		func(c *trial) {
			id, tok := c.login(c.p, person(1))
			if want := c.p.Info().ID; id.Provider != want {
				c.Errorf("Provider is %q, want Info.ID, %q", id.Provider, want)
			}
			if id.Issuer == "" {
				c.Error("Issuer is empty")
			}
			if id.Subject == "" || len(id.Subject) > 255 || !utf8.ValidString(id.Subject) || strings.TrimSpace(id.Subject) != id.Subject {
				c.Errorf("Subject is %q, want 1 to 255 bytes of UTF-8 without white space at an end", id.Subject)
			}
			if tok.AccessToken == "" {
				c.Error("the Token has no access token")
			}
			if len(id.Raw) > 0 && !json.Valid(id.Raw) {
				c.Error("Raw is no JSON")
			}
		},
	}, {
		"SubjectStays",
		"The subject is the account's permanent name: the same at each login, also after the person changed their name, handle or address.",
		func(c *trial) {
			p := person(1)
			first, _ := c.login(c.p, p)
			for what, who := range map[string]map[string]any{
				"the same person": p,
				"another name":    with(p, "name", "Somebody Else"),
				"another handle":  with(p, "preferred_username", "renamed"),
				"another address": with(p, "email", "moved@example.test"),
				"no address":      without(p, "email", "email_verified"),
			} {
				if id, _ := c.login(c.p, who); id.Subject != first.Subject {
					c.Errorf("%s: Subject was %q and is %q", what, first.Subject, id.Subject)
				}
			}
		},
	}, {
		"SubjectsDiffer",
		"Two people have two subjects, also if they have the same name, handle and address.",
		func(c *trial) {
			a, _ := c.login(c.p, person(1))
			b, _ := c.login(c.p, with(person(1), "sub", person(2)["sub"]))
			if a.Subject == b.Subject {
				c.Errorf("both have the subject %q", a.Subject)
			}
		},
	}, {
		"IssuerStays",
		"The issuer says who vouches for the subject, and is the same for each login of a person.",
		func(c *trial) {
			a, _ := c.login(c.p, person(1))
			b, _ := c.login(c.make(), person(1))
			if a.Issuer != b.Issuer {
				c.Errorf("got %q, then %q", a.Issuer, b.Issuer)
			}
		},
	}, {
		"URLsAreHTTPS",
		"AvatarURL and ProfileURL are https or empty, whatever the service says.",
		func(c *trial) {
			for _, evil := range []string{"javascript:alert(1)", "data:text/html,x", "http://pictures.example.test/p.png", "//pictures.example.test/p.png"} {
				id, _ := c.login(c.p, with(with(person(1), "picture", evil), "profile", evil))
				for name, raw := range map[string]string{"AvatarURL": id.AvatarURL, "ProfileURL": id.ProfileURL} {
					if u, err := url.Parse(raw); raw != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
						c.Errorf("%s is %q", name, raw)
					}
				}
			}
		},
	}, {
		"IdentityHoldsNoSecrets",
		"Nothing in the Identity is a token or the client secret: it is kept in the clear.",
		func(c *trial) {
			id, tok := c.login(c.p, person(1))
			b, err := json.Marshal(id)
			if err != nil {
				c.Fatalf("the Identity is no JSON: %v", err)
			}
			for _, s := range append(c.secrets(), tok.AccessToken, tok.RefreshToken, tok.IDToken, tok.Secret) {
				if s != "" && strings.Contains(string(b), s) {
					c.Errorf("the Identity holds a secret, %.12s…", s)
				}
			}
		},
	}, {
		"ManyAtOnce",
		"A Provider is safe for concurrent use: people who log in at once each become themselves, with their own token.",
		func(c *trial) {
			people := c.crowd
			want := make([]string, people)
			for i := range want {
				// Who each of them is when nobody else is about.
				if i < 3 {
					id, _ := c.login(c.make(), person(i))
					want[i] = id.Subject
				}
			}
			type outcome struct {
				id  provider.Identity
				tok provider.Token
				err error
			}
			got := make([]outcome, people)
			cbs := make([]provider.Callback, people)
			var begun, done sync.WaitGroup
			begun.Add(people)
			for i := range people {
				done.Go(func() {
					cb, err := c.quiet(person(i))
					cbs[i] = cb
					begun.Done()
					begun.Wait() // all are at the service before the first comes back
					if err != nil {
						got[i].err = err
						return
					}
					got[i].id, got[i].tok, got[i].err = c.p.Complete(c.Context(), cb)
				})
			}
			done.Wait()
			subjects, tokens := map[string]int{}, map[string]int{}
			for i, o := range got {
				if o.err != nil {
					c.Errorf("person %d: %v", i, o.err)
					continue
				}
				if want[i] != "" && o.id.Subject != want[i] {
					c.Errorf("person %d became %q, want %q", i, o.id.Subject, want[i])
				}
				subjects[o.id.Subject]++
				tokens[o.tok.AccessToken]++
				if owner := c.srv.owner(o.tok.AccessToken); owner != nil && owner["sub"] != person(i)["sub"] {
					c.Errorf("person %d has a token of %v", i, owner["name"])
				}
			}
			if !c.Failed() && (len(subjects) != people || len(tokens) != people) {
				c.Errorf("%d people have %d subjects and %d tokens", people, len(subjects), len(tokens))
			}
		},
	}}
}

// quiet is arrive for a goroutine that may not end the test.
func (c *trial) quiet(who map[string]any) (provider.Callback, error) {
	req := c.request()
	rd, err := c.p.Begin(c.Context(), req)
	if err != nil {
		return provider.Callback{}, err
	}
	b, err := c.srv.browse(rd.URL, visitor{profile: who, chosen: true})
	if err != nil {
		return provider.Callback{}, err
	}
	return provider.NewCallback(req, rd.Memo, b.params)
}

// owner returns who gave an access token, or nil if the service did not make it.
func (s *Server) owner(token string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.access[token]; a != nil {
		return a.person
	}
	return nil
}
