package middleware

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// A route is one of Handler's, by the first part of its path.
type route struct {
	op      string
	methods []string
	arg     bool // a provider, or "revoke", follows
	serve   func(a *Auth, w http.ResponseWriter, r *http.Request, e *entry)
}

// routes is the table of Handler. It is never changed.
var routes = map[string]route{
	"login":       {"login", []string{http.MethodGet, http.MethodPost}, true, (*Auth).serveLogin},
	"callback":    {"callback", []string{http.MethodGet, http.MethodPost}, true, (*Auth).serveCallback},
	"account":     {"account", []string{http.MethodGet}, false, (*Auth).serveAccount},
	"link":        {"link", []string{http.MethodPost}, true, (*Auth).serveLink},
	"unlink":      {"unlink", []string{http.MethodPost}, true, (*Auth).serveUnlink},
	"reauth":      {"reauth", []string{http.MethodGet, http.MethodPost}, true, (*Auth).serveReauth},
	"sessions":    {"revoke", []string{http.MethodPost}, true, (*Auth).serveRevoke},
	"logout":      {"logout", []string{http.MethodGet, http.MethodPost}, false, (*Auth).serveLogout},
	"session":     {"session", []string{http.MethodGet}, false, (*Auth).serveSession},
	"backchannel": {"backchannel", []string{http.MethodPost}, true, (*Auth).serveBackchannel},
}

// Handler serves login, callback, link and logout. Mount it at [Config.Path],
// with or without http.StripPrefix.
func (a *Auth) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Cache-Control"] = noStore
		h["Referrer-Policy"] = noReferrer
		h["X-Content-Type-Options"] = noSniff
		a.addVary(h)
		rt, e, err := a.find(r)
		op := rt.op
		if op == "" {
			op = "load"
		}
		providerID := ""
		if e != nil {
			providerID = e.info.ID
		}
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.fail(w, r, op, providerID, panicked(v))
			}
		}()
		switch {
		case err != nil:
			a.fail(w, r, op, providerID, err)
		case !slices.Contains(rt.methods, r.Method):
			h.Set("Allow", strings.Join(rt.methods, ", "))
			a.fail(w, r, op, providerID, errMethod)
		case prefetched(r):
			w.WriteHeader(http.StatusNoContent)
		default:
			if r.Method == http.MethodPost {
				r.Body = http.MaxBytesReader(w, r.Body, maxForm(op))
			}
			if to := a.wrongLoopback(r); to != "" {
				redirect(w, to)
				return
			}
			rt.serve(a, w, r, e)
		}
	})
}

// maxForm bounds what a browser or a provider may post.
func maxForm(op string) int64 {
	if op == "backchannel" {
		return 16 << 10
	}
	return 64 << 10
}

// find returns the route of the request and its provider, if it names one.
// Paths are compared exactly: what a browser or a proxy would clean is not
// there.
func (a *Auth) find(r *http.Request) (route, *entry, error) {
	name, arg, has := strings.Cut(a.route(r), "/")
	rt, ok := routes[name]
	switch {
	case !ok:
		return route{}, nil, errUnknownProvider
	case name == "sessions":
		if arg != "revoke" {
			return route{}, nil, errUnknownProvider
		}
		return rt, nil, nil
	case !has && (name == "login" || name == "reauth"):
		rt.methods = []string{http.MethodGet}
		return rt, nil, nil
	case name == "reauth" && has:
		rt.methods = []string{http.MethodPost}
	case !rt.arg && !has:
		return rt, nil, nil
	}
	e := a.byID[arg]
	if !rt.arg || e == nil {
		return route{}, nil, errUnknownProvider
	}
	if name == "callback" && !e.info.PostsBack {
		rt.methods = []string{http.MethodGet}
	}
	return rt, e, nil
}

// limited asks Config.Limit.
func (a *Auth) limited(r *http.Request, op string) error {
	if a.cfg.Limit == nil {
		return nil
	}
	if err := a.cfg.Limit(r, op); err != nil {
		return errors.Join(errLimited, err)
	}
	return nil
}

// form reads a posted form; what is in the URL does not count.
func form(r *http.Request) error {
	if ct, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); ct != "" && strings.TrimSpace(strings.ToLower(ct)) != "application/x-www-form-urlencoded" {
		return because("bad_request", errBadRequest)
	}
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return because("too_large", errTooLarge)
		}
		return because("bad_request", errBadRequest)
	}
	return nil
}
