package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store"
)

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
