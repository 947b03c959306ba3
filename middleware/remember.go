package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatepass/gatepass/session"
)

type rememberKey struct{}

// WithRemember returns a context in which [Auth.Login] and [Auth.LoginIdentity]
// remember the browser for Config.Session.Remember, as their request's context:
// it is for an app with a form of its own that asks for it.
func WithRemember(ctx context.Context) context.Context {
	return context.WithValue(ctx, rememberKey{}, true)
}

func wantsRemembered(ctx context.Context) bool { return ctx.Value(rememberKey{}) != nil }

// askedToRemember reports whether a request to log in wants the browser to be
// remembered.
func (a *Auth) askedToRemember(r *http.Request) bool {
	return a.cfg.Session.Remember > 0 && formValue(r, "remember") == "1"
}

// restore is asked for a request without a session. It returns the session that
// begins if the browser is remembered, and the request that carries it, or an
// error that is session.ErrNone.
//
// A request that nobody has asked for yet begins none: its answer may never be
// looked at, and the browser would be left with a token that was used. Nor does
// one that opens a WebSocket, since most programs that answer those send no
// cookies.
func (a *Auth) restore(w http.ResponseWriter, r *http.Request) (session.Found, *http.Request, error) {
	switch {
	case a.cfg.Session.Remember == 0, r.Method == http.MethodHead, opensWebSocket(r):
		return session.Found{}, r, session.ErrNone
	case prefetched(r):
		// Who then asks for it is not to get what is meant for a visitor.
		w.Header()["Cache-Control"] = noStore
		return session.Found{}, r, session.ErrNone
	}
	f, r, err := a.sessions.Restore(w, r)
	if errors.Is(err, session.ErrStolen) {
		a.stolen(r.Context(), err)
	}
	return f, r, err
}

// opensWebSocket reports whether the request is the first of a WebSocket, over
// HTTP/1.1 (RFC 6455) or later (RFC 8441).
func opensWebSocket(r *http.Request) bool {
	return r.Method == http.MethodConnect || strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// stolen logs that a remember token was used twice. Whose it was is told, so that
// an app can tell them.
func (a *Auth) stolen(ctx context.Context, err error) {
	userID := ""
	var e *session.Error
	if errors.As(err, &e) {
		userID = e.UserID
	}
	a.logger().LogAttrs(ctx, slog.LevelWarn, "gatepass: event",
		slog.String("event", "remember_stolen"), slog.String("user", userID))
}

// restored is visitor for a browser that may be remembered. The request that it
// returns carries the session.
func (a *Auth) restored(w http.ResponseWriter, r *http.Request) (*session.Found, *http.Request, error) {
	who, err := a.visitor(r)
	if who != nil || err != nil {
		return who, r, err
	}
	f, r, err := a.restore(w, r)
	switch {
	case err == nil:
		found := f // as in visitor
		return &found, r, nil
	case nobody(err):
		return nil, r, nil
	}
	return nil, r, storeFailed(err)
}
