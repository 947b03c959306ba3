package middleware

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// fail answers a request that failed, by Config.ErrorHandler if there is one.
func (a *Auth) fail(w http.ResponseWriter, r *http.Request, op, providerID string, err error) {
	e := &Error{Op: op, Provider: providerID, ID: rand.Text()[:10], Err: err}
	e.Reason = Reason(e)
	h := w.Header()
	h["Cache-Control"] = noStore
	if a.cfg.ErrorHandler != nil {
		a.cfg.ErrorHandler(w, r, e)
		return
	}
	status := StatusCode(e)
	a.logFailure(r.Context(), e, status)
	if wantsJSON(r) {
		h.Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": http.StatusText(status), "reason": e.Reason, "id": e.ID})
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") && !pageRoute(op) {
		http.Error(w, http.StatusText(status), status)
		return
	}
	title, text, retry := explain(e)
	data := pageData{Title: title, Text: text, ID: e.ID, Home: a.cfg.AfterLogin}
	if retry {
		data.Again = a.prefix + again(op)
	}
	a.page(w, r, status, "error", data)
}

// again returns where to try op again. Someone who is logged in and wanted to
// link must not end where a login would make them another user.
func again(op string) string {
	switch op {
	case "link", "unlink", "revoke":
		return "/account"
	case "reauth":
		return "/reauth"
	}
	return "/login"
}

// pageRoute reports whether it is a person who waits for the answer of op.
func pageRoute(op string) bool { return op != "load" && op != "session" && op != "backchannel" }

func (a *Auth) logFailure(ctx context.Context, e *Error, status int) {
	level := slog.LevelWarn
	if status >= 500 {
		level = slog.LevelError
	}
	a.logger().LogAttrs(ctx, level, "gatepass: request refused",
		slog.String("reason", e.Reason), slog.String("op", e.Op), slog.String("provider", e.Provider),
		slog.Int("status", status), slog.String("id", e.ID), slog.String("error", printable(e.Error(), 500)))
}

// event logs what is no failure of the request at hand.
func (a *Auth) event(ctx context.Context, name, providerID string, err error) {
	attrs := []slog.Attr{slog.String("event", name), slog.String("provider", providerID)}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", printable(err.Error(), 500)))
	}
	a.logger().LogAttrs(ctx, level, "gatepass: event", attrs...)
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

// explain tells a person what happened and what to do next, in words that are
// the same whoever they are, and whether to offer another try. Nothing that the
// provider said stands there.
func explain(e *Error) (title, text string, retry bool) {
	switch {
	case errors.Is(e, session.ErrNone) || errors.Is(e, ErrNoUser):
		return "Please log in", "This page is for people who are logged in.", true
	case errors.Is(e, ErrEmailTaken):
		return "You have been here before", "Someone with your email address uses this site already. If it is you, log in the way you did then. Afterwards you can add this way on your account page.", true
	case errors.Is(e, ErrLinked):
		return "Already in use", "That account belongs to another user of this site, so that it cannot be added to yours.", false
	case errors.Is(e, ErrSwitched):
		return "Somebody else is logged in", "Since you began, somebody else has logged in to this browser. Nothing was changed. Log out first, then try again.", false
	case errors.Is(e, store.ErrLastAccount):
		return "This is your last way in", "Without it you could not log in any more. Add another way first, then remove this one.", false
	case e.Reason == "user_disabled":
		return "You cannot log in", "This user has been disabled. Ask whoever runs this site.", false
	case errors.Is(e, ErrNotAdmitted):
		return "You cannot log in here", "This site is not open to the account that you chose. You can try another one.", true
	case e.Reason == "auth_time":
		return "The service did not ask you again", "For this, it has to prove who you are, and it did not. Log out there and try again.", true
	case e.Reason == "tx_user":
		return "Somebody else began this", "You logged in or out since, or chose another account at the service than the one that you have here. Nothing was changed. Please try again.", true
	case e.Reason == "logged_out":
		return "You have logged out", "While you were logging in here, the service said that you had logged out there. Nobody is logged in. You can try again.", true
	case errors.Is(e, errTooLarge):
		return "That was too much", "The request is larger than any that this site takes.", false
	case errors.Is(e, provider.ErrDenied):
		return "Login cancelled", "You, or the service, said no. Nothing was changed. You can try again, or choose another way.", true
	case errors.Is(e, ErrNotFresh):
		return "Please log in again", "For this, you have to prove once more who you are.", true
	case errors.Is(e, ErrNoToken):
		return "Permission is missing", "The service did not allow what this page needs. You can try again and allow it there.", true
	case e.Reason == "tx_missing" || e.Reason == "state_missing" || e.Reason == "post_missing":
		return "This login was not begun here", "Your browser sent no record of it. Perhaps cookies are off, the login was begun in another browser or under another address of this site, or it took longer than ten minutes. Please try again.", true
	case errors.Is(e, session.ErrFlow) || errors.Is(e, provider.ErrState) || StatusCode(e) == http.StatusBadRequest:
		return "This login is over", "It took longer than ten minutes, was finished before, or does not belong to this browser. Nothing was changed. Please try again.", true
	case errors.Is(e, errRefused):
		return "That did not come from here", "The request was sent by another site, so that it was not carried out. Go back and use the button on this site.", false
	case errors.Is(e, errUnknownProvider):
		return "Not found", "There is no such page.", true
	case errors.Is(e, errLimited):
		return "Too many attempts", "Wait a minute, then try again.", true
	case errors.Is(e, errMethod):
		return "That cannot be done here", "Go back and use the button on the page.", false
	}
	switch StatusCode(e) {
	case http.StatusGatewayTimeout:
		return "The service does not answer", "It took too long. Nothing was changed. Try again in a moment, or choose another way.", true
	case http.StatusBadGateway:
		return "The service has a problem", "It could not say who you are. Nothing was changed. Try again in a moment, or choose another way.", true
	case http.StatusServiceUnavailable:
		return "We have a problem", "This site cannot reach its records just now. Nothing was changed. Try again in a moment.", true
	}
	return "Something went wrong", "This is our fault. Nothing was changed. Try again in a moment.", true
}

// printable cuts s and removes what could forge a line of a log.
func printable(s string, limit int) string {
	s = strings.Map(func(c rune) rune {
		if c < 0x20 || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 {
			return ' '
		}
		return c
	}, s)
	return cut(s, limit)
}

// cut returns at most limit bytes of s, whole characters only.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit]
}
