package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// A world is an app on a database of which a statement goes wrong, with people
// whose rows nobody may touch.
type world struct {
	*app
	t      *testing.T
	db     *gormstore.Store
	faults *faultDB
	what   fault
	people int

	witness *browser // somebody else, logged in all the time
	bob     string

	mu      sync.Mutex
	refresh map[string]int // how often each refresh token was shown
}

func newWorld(t *testing.T, what fault) *world {
	w := &world{t: t, what: what, refresh: make(map[string]int)}
	w.db, w.faults = openFaulty(t)
	w.app = newApp(t, func(c *middleware.Config) { c.Store = w.db })
	w.db.Now = w.clock.Now // SQLite's leases end by it
	withAPI(w.app, api(t), func(c *middleware.Config) { c.Logger = slog.New(slog.NewTextHandler(w.log, nil)) })
	w.github.refresh = func(_ context.Context, tok provider.Token) (provider.Token, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.refresh[tok.RefreshToken]++; w.refresh[tok.RefreshToken] > 1 {
			return provider.Token{}, &provider.Error{Provider: "github", Op: "refresh", Err: provider.ErrRevoked}
		}
		return provider.Token{
			AccessToken: "new-" + tok.AccessToken, RefreshToken: "new-" + tok.RefreshToken, Expiry: w.clock.Now().Add(time.Hour),
		}, nil
	}
	code := w.person()
	w.witness = w.browser()
	w.witness.login("github", code)
	w.bob = w.witness.whoami()
	return w
}

// person makes a code for somebody new at both providers.
func (w *world) person() string {
	w.people++
	code := fmt.Sprint("p", w.people)
	w.github.person(code, provider.Identity{Subject: "g-" + code, Name: "Person " + code})
	w.other.person(code, provider.Identity{Subject: "o-" + code, Name: "Person " + code})
	return code
}

// member is somebody who is logged in, in a browser.
func (w *world) member() (b *browser, code, id string) {
	code = w.person()
	b = w.browser()
	b.login("github", code)
	return b, code, b.whoami()
}

// under sends requests under a context.
func under(ctx context.Context) step {
	return func(r *http.Request) { *r = *r.WithContext(ctx) }
}

// An outcome is how an operation ended.
type outcome struct {
	status int
	text   string
}

func (w *world) outcome(resp *http.Response) outcome {
	return outcome{resp.StatusCode, body(w.t, resp)}
}

func outcomeOf(err error) outcome {
	if err == nil {
		return outcome{status: http.StatusOK}
	}
	return outcome{middleware.StatusCode(err), err.Error() + "; try again"}
}

// loginBy goes through a login up to what fails.
func (w *world) loginBy(b *browser, ctx context.Context, providerID, code string, begin func() *http.Response) outcome {
	resp := begin()
	if resp.StatusCode != http.StatusSeeOther {
		return w.outcome(resp)
	}
	return w.outcome(b.callback(providerID, b.stateOf(resp), code, under(ctx)))
}

// A trial is an operation for one person: do is what the fault falls into, and
// may be called again; check looks at what is left.
type trial struct {
	do      func(ctx context.Context) outcome
	good    func(status int) bool
	browser *browser
	id      string                   // who the browser is, whatever happens; "" if nobody yet
	alone   bool                     // it is their only one
	check   func(o outcome, ok bool) // ok: the operation said so
}

func seeOther(status int) bool { return status == http.StatusSeeOther }
func fine(status int) bool     { return status == http.StatusOK }

var operations = map[string]func(w *world) *trial{
	"sign-up": func(w *world) *trial {
		code, b := w.person(), w.browser()
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.loginBy(b, ctx, "github", code, func() *http.Response { return b.get("/auth/login/github", under(ctx)) })
			},
			good: seeOther, browser: b,
			check: func(_ outcome, ok bool) {
				w.checkNewcomer(b, store.Key{Provider: "github", Subject: "g-" + code}, ok, 0)
			},
		}
	},
	"login": func(w *world) *trial {
		_, code, id := w.member()
		b := w.browser()
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.loginBy(b, ctx, "github", code, func() *http.Response { return b.get("/auth/login/github", under(ctx)) })
			},
			good: seeOther, browser: b,
			check: func(_ outcome, ok bool) {
				w.checkNewcomer(b, store.Key{Provider: "github", Subject: "g-" + code}, ok, 1)
				if me := b.whoami(); me != "" && me != id {
					w.t.Errorf("the browser is %s, want %s", me, id)
				}
				w.wantToken(id)
			},
		}
	},
	"login of somebody logged in": func(w *world) *trial {
		b, code, id := w.member()
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.loginBy(b, ctx, "github", code, func() *http.Response { return b.get("/auth/login/github", under(ctx)) })
			},
			good: seeOther, browser: b, id: id, alone: true,
			check: func(outcome, bool) { w.wantToken(id) },
		}
	},
	"proof of who they are": func(w *world) *trial {
		b, code, id := w.member()
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.loginBy(b, ctx, "github", code, func() *http.Response {
					return b.post("/auth/reauth/github", nil, under(ctx))
				})
			},
			good: seeOther, browser: b, id: id, alone: true,
			check: func(outcome, bool) { w.wantToken(id) },
		}
	},
	"link": func(w *world) *trial {
		b, code, id := w.member()
		k := store.Key{Provider: "other", Subject: "o-" + code}
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.loginBy(b, ctx, "other", code, func() *http.Response { return b.post("/auth/link/other", nil, under(ctx)) })
			},
			good: seeOther, browser: b, id: id, alone: true,
			check: func(_ outcome, ok bool) {
				acct, err := w.store.Account(w.t.Context(), k)
				if err == nil && acct.UserID != id {
					w.t.Errorf("the account is %s's, want %s's", acct.UserID, id)
				}
				if err != nil && (ok || !errors.Is(err, store.ErrNotFound)) {
					w.t.Errorf("the linked account: got error %v", err)
				}
				if err == nil {
					w.wantTokenOf(id, "other")
				}
				w.wantToken(id)
			},
		}
	},
	"unlink": func(w *world) *trial {
		b, code, id := w.member()
		if resp := b.link(code); resp.StatusCode != http.StatusSeeOther {
			w.t.Fatalf("link: got %d", resp.StatusCode)
		}
		k := store.Key{Provider: "other", Subject: "o-" + code}
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.outcome(b.post("/auth/unlink/other", url.Values{"subject": {k.Subject}}, under(ctx)))
			},
			// Who tries again what happened although the answer was 503 is told
			// that the account is not there.
			good: func(status int) bool {
				_, err := w.store.Account(w.t.Context(), k)
				return seeOther(status) || status == http.StatusNotFound && errors.Is(err, store.ErrNotFound)
			},
			browser: b, id: id, alone: true,
			check: func(_ outcome, ok bool) {
				if _, err := w.store.Account(w.t.Context(), k); ok && !errors.Is(err, store.ErrNotFound) {
					w.t.Errorf("the unlinked account: got error %v, want %v", err, store.ErrNotFound)
				}
				w.wantToken(id)
			},
		}
	},
	"renewal": func(w *world) *trial {
		code := w.person()
		w.expire(code, time.Hour)
		b := w.browser()
		b.login("github", code)
		id := b.whoami()
		w.clock.advance(2 * time.Hour)
		return &trial{
			do: func(ctx context.Context) outcome {
				_, err := w.callAs(ctx, id)
				if errors.Is(err, middleware.ErrNoToken) {
					w.t.Errorf("got %v, though the grant is good", err)
				}
				return outcomeOf(err)
			},
			good: fine, browser: b, id: id,
			check: func(_ outcome, ok bool) {
				w.clock.advance(31 * time.Second) // the lease of a caller of whom no more is heard
				got, err := w.callAs(w.t.Context(), id)
				if want := "/user Bearer new-at-" + code; err != nil || got != want {
					w.t.Errorf("afterwards: got %q, %v; want %q", got, err, want)
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				if n := w.refresh["rt-"+code]; n != 1 {
					w.t.Errorf("the service was shown the refresh token %d times, want once", n)
				}
			},
		}
	},
	"request": func(w *world) *trial {
		b, _, id := w.member()
		w.clock.advance(2 * time.Minute) // the session's times are due to be moved
		return &trial{
			do:   func(ctx context.Context) outcome { return w.outcome(b.get("/private", under(ctx))) },
			good: fine, browser: b, id: id, check: func(outcome, bool) {},
		}
	},
	"request of a page for anyone": func(w *world) *trial {
		b, _, id := w.member()
		return &trial{
			do: func(ctx context.Context) outcome {
				o := w.outcome(b.get("/", under(ctx)))
				if o.status == http.StatusOK && o.text != "user "+id {
					w.t.Errorf("the page says %q, want that it is for user %s", o.text, id)
				}
				return o
			},
			good: fine, browser: b, id: id, check: func(outcome, bool) {},
		}
	},
	"account page": func(w *world) *trial {
		b, _, id := w.member()
		return &trial{
			do:   func(ctx context.Context) outcome { return w.outcome(b.get("/auth/account", under(ctx))) },
			good: fine, browser: b, id: id, check: func(outcome, bool) {},
		}
	},
	"logout": func(w *world) *trial {
		b, _, id := w.member()
		cookies := *b // as somebody has copied them
		cookies.cookies = make(map[string]*http.Cookie)
		for k, v := range b.cookies {
			cookies.cookies[k] = v
		}
		tr := &trial{
			do:   func(ctx context.Context) outcome { return w.outcome(b.post("/auth/logout", nil, under(ctx))) },
			good: seeOther, browser: b, id: id,
		}
		tr.check = func(_ outcome, ok bool) {
			if ok {
				tr.id = ""
				if me := cookies.whoami(); me != "" || b.whoami() != "" {
					w.t.Errorf("logged out, and is %q", me)
				}
			}
		}
		return tr
	},
	"end of other sessions": func(w *world) *trial {
		b, code, id := w.member()
		second := w.browser()
		second.login("github", code)
		return &trial{
			do: func(ctx context.Context) outcome {
				return w.outcome(b.post("/auth/sessions/revoke", url.Values{"others": {"1"}}, under(ctx)))
			},
			good: seeOther, browser: b, id: id,
			check: func(_ outcome, ok bool) {
				if me := second.whoami(); ok && me != "" || me != "" && me != id {
					w.t.Errorf("the other session is %q's", me)
				}
			},
		}
	},
	"end of a user": func(w *world) *trial {
		b, code, id := w.member()
		return &trial{
			do:   func(ctx context.Context) outcome { return outcomeOf(w.auth.DeleteUser(ctx, id)) },
			good: fine, browser: b,
			check: func(_ outcome, ok bool) {
				_, err := w.store.User(w.t.Context(), id)
				_, acctErr := w.store.Account(w.t.Context(), store.Key{Provider: "github", Subject: "g-" + code})
				if ok && !errors.Is(err, store.ErrNotFound) || (err == nil) != (acctErr == nil) {
					w.t.Errorf("the user: %v; the account: %v", err, acctErr)
				}
				if err == nil {
					w.wantToken(id)
				}
				if me := b.whoami(); me != "" && (ok || me != id) {
					w.t.Errorf("the browser is %q", me)
				}
			},
		}
	},
}

// checkNewcomer is what holds of a browser in which nobody was logged in, and
// whose user is logged in elsewhere in so many others.
func (w *world) checkNewcomer(b *browser, k store.Key, ok bool, elsewhere int) {
	w.t.Helper()
	ctx := w.t.Context()
	acct, err := w.store.Account(ctx, k)
	me := b.whoami()
	if err != nil {
		if ok || me != "" || !errors.Is(err, store.ErrNotFound) {
			w.t.Errorf("the browser is %q, and its account: %v", me, err)
		}
		return
	}
	if ok && me != acct.UserID || me != "" && me != acct.UserID {
		w.t.Errorf("the browser is %q, want %s", me, acct.UserID)
	}
	if me != "" {
		elsewhere++
	}
	w.wantSessions(acct.UserID, elsewhere)
	w.wantToken(acct.UserID)
}

// wantSessions fails if the user has more sessions than there are browsers that
// know of them. When an answer was lost, one may be left that nobody knows of.
func (w *world) wantSessions(id string, n int) {
	w.t.Helper()
	list, err := w.store.UserSessions(w.t.Context(), id)
	if w.what == answer {
		n++
	}
	if err != nil || len(list) > n {
		w.t.Errorf("the user has %d sessions, %v; want at most %d", len(list), err, n)
	}
}

func (w *world) callAs(ctx context.Context, id string) (string, error) {
	c, err := w.auth.Client(middleware.WithUser(ctx, &store.User{ID: id}), "github")
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/user", nil)
	if err != nil {
		return "", err
	}
	resp, err := c.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// wantToken fails unless the user has a whole token.
func (w *world) wantToken(id string) {
	w.t.Helper()
	w.wantTokenOf(id, "github")
}

func (w *world) wantTokenOf(id, providerID string) {
	w.t.Helper()
	if _, err := w.auth.Client(middleware.WithUser(w.t.Context(), &store.User{ID: id}), providerID); err != nil {
		w.t.Errorf("the token of %s: %v", providerID, err)
	}
}

// sound fails if something half done is in the tables, or if somebody who had no
// part in it is no longer who they were.
func (w *world) sound() {
	w.t.Helper()
	for what, query := range map[string]string{
		"users without an account": "SELECT count(*) FROM gatepass_users u WHERE NOT EXISTS (SELECT 1 FROM gatepass_accounts a WHERE a.user_id = u.id)",
		"accounts without a user":  "SELECT count(*) FROM gatepass_accounts a WHERE NOT EXISTS (SELECT 1 FROM gatepass_users u WHERE u.id = a.user_id)",
		"sessions without a user":  "SELECT count(*) FROM gatepass_sessions s WHERE NOT EXISTS (SELECT 1 FROM gatepass_users u WHERE u.id = s.user_id)",
		"accounts without a token": "SELECT count(*) FROM gatepass_accounts WHERE sealed IS NULL",
	} {
		var n int
		if err := w.db.DB().Raw(query).Scan(&n).Error; err != nil || n != 0 {
			w.t.Errorf("got %d %s, %v; want none", n, what, err)
		}
	}
	w.clock.advance(2 * time.Second) // past what the process remembers
	if me := w.witness.whoami(); me != w.bob {
		w.t.Errorf("somebody else's browser is %q, want %s", me, w.bob)
	}
}

// sameOne fails if the browser is somebody else, or nobody without a reason. If
// the answer to the statement that ended a session was lost, it has ended.
func (w *world) sameOne(tr *trial, ok bool) {
	w.t.Helper()
	me := tr.browser.whoami()
	if tr.id != "" && tr.alone {
		w.wantSessions(tr.id, 1)
	}
	if tr.id == "" || me == tr.id || me == "" && w.what == answer && !ok {
		return
	}
	w.t.Errorf("the browser is %q, want %s", me, tr.id)
}

// Whichever statement of whichever operation goes wrong: the answer is that it
// did, or that the operation has succeeded; nothing is half done; and the same
// operation succeeds afterwards.
func TestEachStatementGoesWrong(t *testing.T) {
	for name, operation := range operations {
		for _, what := range []fault{fails, dropped, answer, cancels, goneIdle} {
			t.Run(name+"/"+string(what), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, what)
				for n := 1; !t.Failed(); n++ {
					if !w.attempt(n, operation(w)) {
						if n < 2 {
							t.Error("no statement went wrong")
						}
						t.Logf("%d statements", n-1)
						return
					}
					if n > 60 {
						t.Fatal("it goes on for ever")
					}
				}
			})
		}
	}
}

// attempt lets the n-th statement of a trial go wrong, and reports whether there
// is one.
func (w *world) attempt(n int, tr *trial) bool {
	w.t.Helper()
	w.clock.advance(2 * time.Second)
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.faults.arm(n, w.what, cancel)
	o := tr.do(ctx)
	fired := w.faults.disarm()
	ok := tr.good(o.status)
	switch {
	case ok:
	case !fired:
		w.t.Errorf("without a fault: got %d: %s", o.status, o.text)
	case w.what == cancels: // nobody reads the answer
	case o.status != http.StatusServiceUnavailable || !strings.Contains(strings.ToLower(o.text), "try again"):
		w.t.Errorf("statement %d: got %d, want 503 and a page that says to try again: %s", n, o.status, o.text)
	}
	w.sound()
	tr.check(o, ok)
	w.sameOne(tr, ok)
	if !fired {
		return false
	}
	w.again(n, tr)
	if w.t.Failed() {
		w.t.Logf("statement %d: %s; got %d\n%s", n, w.what, o.status, w.log)
	}
	return true
}

// again does the same once more, with a database that works.
func (w *world) again(n int, tr *trial) {
	w.t.Helper()
	id := tr.id
	if id != "" && tr.browser.whoami() == "" {
		return // they log in first, as everybody can
	}
	if o := tr.do(w.t.Context()); !tr.good(o.status) {
		w.t.Errorf("statement %d, afterwards: got %d: %s", n, o.status, o.text)
	} else {
		tr.check(o, true)
		w.sameOne(tr, true)
	}
	w.sound()
}
