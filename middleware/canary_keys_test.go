package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/store"
)

// A valuedStore is a broken store that keeps values.
type valuedStore struct {
	*brokenStore
	valuer store.SessionValuer
}

func (s valuedStore) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	if err := s.failing("SessionValues"); err != nil {
		return nil, nil, err
	}
	return s.valuer.SessionValues(ctx, id)
}

func (s valuedStore) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	if err := s.failing("SwapSessionValues"); err != nil {
		return err
	}
	return s.valuer.SwapSessionValues(ctx, id, old, values)
}

// cart keeps what it is told to, and tells of what goes wrong.
func cart(a *app, failed func(error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := a.auth.Sessions().Get(r, "cart")
		if err != nil {
			failed(err)
		}
		s.Values["article"] = r.FormValue("article")
		if r.FormValue("bad") != "" {
			s.Values["canary-key-that-is-longer-than-any-name-has-to-be-in-a-program-of-anyone's"] = func() {}
		}
		if err := s.Save(r, w); err != nil {
			failed(err)
		}
		fmt.Fprint(w, len(s.Values))
	}
}

// visitorsAndClients has visitors keep values, log in and meet a store that
// fails, and a client without cookies do the same.
func visitorsAndClients(a *app, broken *brokenStore, code func() string) {
	for _, byHeader := range []bool{false, true} {
		b, key := a.browser(), ""
		with := func(r *http.Request) {
			if byHeader {
				r.Header["X-Session"] = []string{key}
			}
		}
		answered := func(resp *http.Response) *http.Response {
			if v, ok := resp.Header["X-Session"]; ok {
				key = v[0]
			}
			return resp
		}
		save := func() {
			answered(b.post("/cart", url.Values{"article": {"canary-value"}}, with))
			answered(b.post("/cart", url.Values{"article": {"canary-value"}, "bad": {"1"}}, with))
		}
		save()
		failing := func(do func()) {
			for _, op := range []string{"CreateSession", "Session", "SessionValues", "SwapSessionValues", "DeleteSession", "Mark"} {
				broken.broken.Store(&op)
				do()
				off := ""
				broken.broken.Store(&off)
			}
		}
		failing(save)
		failing(func() {
			state := b.begin("github", with)
			answered(b.callback("github", state, code(), with))
		})
		answered(b.callback("github", b.begin("github", with), code(), with))
		save()
		failing(func() {
			save()
			b.get("/private", with)
			b.get("/auth/account", with)
			b.post("/auth/logout", nil, with)
		})
		for _, path := range []string{"/auth/account", "/auth/session", "/auth/reauth", "/auth/logout", "/private"} {
			b.get(path, with)
		}
		answered(b.post("/auth/logout", nil, with))
		save()
	}
}
