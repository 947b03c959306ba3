package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
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
// know of them.
func (w *world) wantSessions(id string, n int) {
	w.t.Helper()
	list, err := w.store.UserSessions(w.t.Context(), id)
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
