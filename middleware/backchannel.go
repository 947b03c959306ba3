package middleware

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// logoutLife is how long a logout is remembered for logins that are under way:
// longer than any may take.
const logoutLife = 15 * time.Minute

// serveBackchannel takes a logout token (OpenID Connect Back-Channel Logout
// 1.0) and ends the sessions that it names. It reads no cookie.
func (a *Auth) serveBackchannel(w http.ResponseWriter, r *http.Request, e *entry) {
	err := a.limited(r, "backchannel")
	if err == nil {
		err = a.backchannel(r, e)
	}
	var sf *storeFailure
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
		return
	case errors.As(err, &sf), errors.Is(err, errLimited), errors.Is(err, errTooLarge):
	case errors.Is(err, provider.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		// Nobody could tell whether it is good: the provider may send it again.
	case errors.Is(err, errors.ErrUnsupported):
		err = because("backchannel_unsupported", errBadRequest)
	default:
		// The specification has one status for every token that is no good.
		err = because(firstOf(Reason(err), "logout_token"), errors.Join(errBadRequest, err))
	}
	a.fail(w, r, "backchannel", e.info.ID, err)
}

func (a *Auth) backchannel(r *http.Request, e *entry) error {
	if err := form(r); err != nil {
		return err
	}
	if r.URL.RawQuery != "" || len(r.PostForm["logout_token"]) != 1 {
		return because("bad_request", errBadRequest)
	}
	ctx := r.Context()
	out, err := provider.VerifyLogout(ctx, e.Provider, r.PostForm.Get("logout_token"))
	if err != nil {
		return err
	}
	jti := logoutMark("gatepass logout mark v1", e, out.Issuer, out.JTI)
	unmarked, err := a.usedBefore(ctx, jti)
	if err != nil {
		return err
	}
	// A login that is under way asks for the mark once its session is stored. So
	// either it finds the mark, or its session is found here.
	if err := a.markLogout(ctx, e, out); err != nil {
		return err
	}
	if out.Subject == "" {
		err = a.endSID(ctx, e, out)
	} else {
		err = a.endAccount(ctx, e, out)
	}
	if err != nil || !unmarked {
		return err
	}
	return a.mark(ctx, jti, time.Hour)
}

// logoutMark is what a store remembers of a logout, without naming anybody.
func logoutMark(purpose string, e *entry, texts ...string) string {
	var room [512]byte // for issuers and subjects that are longer than is usual, more
	b := append(append(append(room[:0], purpose...), 0), e.info.ID...)
	for _, s := range texts {
		b = append(append(b, 0), s...)
	}
	sum := sha256.Sum256(b)
	text := [2 + 43]byte{'l', ':'}
	base64.RawURLEncoding.Encode(text[2:], sum[:])
	return string(text[:])
}

// usedBefore refuses a logout token that was used before. It reports whether the
// token is to be marked once it has done what it says, so that a provider whose
// token met a store that failed may send it again. A store that cannot look for
// a mark without making it has it made at once.
func (a *Auth) usedBefore(ctx context.Context, jti string) (later bool, err error) {
	err = store.Marked(ctx, a.cfg.Session.Store, jti)
	if errors.Is(err, errors.ErrUnsupported) {
		err = a.cfg.Session.Store.Mark(ctx, jti, a.now().Add(time.Hour))
		if errors.Is(err, store.ErrExists) {
			return false, because("logout_replay", errBadRequest)
		}
		return false, storeFailed(err)
	}
	switch {
	case err == nil:
		return false, because("logout_replay", errBadRequest)
	case errors.Is(err, store.ErrNotFound):
		return true, nil
	}
	return false, storeFailed(err)
}

// mark remembers what may have been marked already, by another request that
// said the same.
func (a *Auth) mark(ctx context.Context, id string, life time.Duration) error {
	err := a.cfg.Session.Store.Mark(ctx, id, a.now().Add(life))
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return storeFailed(err)
}

// markLogout remembers what has ended, for logins that are under way.
//
// A service's session that has ended does not begin again: its SID is marked as
// it is. A person may log in again at once, so that a logout of all their
// sessions is marked together with the second in which it came, and means only
// logins whose code was being exchanged in that second.
func (a *Auth) markLogout(ctx context.Context, e *entry, out provider.Logout) error {
	mark := sidMark(e, out.Issuer, out.SID)
	if out.SID == "" {
		mark = subjectMark(e, out.Issuer, out.Subject, a.now().Unix())
	}
	return a.mark(ctx, mark, logoutLife)
}

func sidMark(e *entry, issuer, sid string) string {
	return logoutMark("gatepass logout sid v1", e, issuer, sid)
}

func subjectMark(e *entry, issuer, subject string, second int64) string {
	return logoutMark("gatepass logout subject v1", e, issuer, subject, strconv.FormatInt(second, 10))
}

// loggedOut reports whether the provider has ended v's login since its code left,
// or the service's session before that.
// A store that cannot say so is taken to know of no logout.
func (a *Auth) loggedOut(ctx context.Context, v *arrival) (bool, error) {
	if !v.e.logsOut {
		return false, nil
	}
	var marks []string
	if v.id.SID != "" {
		marks = append(marks, sidMark(v.e, v.id.Issuer, v.id.SID))
	}
	last := min(a.now().Unix(), v.began.Add(afterCode).Unix())
	for second := v.began.Unix(); second <= last; second++ {
		marks = append(marks, subjectMark(v.e, v.id.Issuer, v.id.Subject, second))
	}
	err := store.Marked(ctx, a.cfg.Session.Store, marks...)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, store.ErrNotFound):
		return false, nil
	}
	return false, storeFailed(err)
}

// endSID ends the sessions that began with a session of the provider, whoever's
// they are.
func (a *Auth) endSID(ctx context.Context, e *entry, out provider.Logout) error {
	for _, id := range e.ids() {
		var err error
		if out.Issuer != "" { // else no session of the provider's has one
			err = a.sessions.EndSID(ctx, id, out.Issuer, out.SID)
		}
		if err == nil {
			err = a.endOldSID(ctx, id, out)
		}
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			// Sessions can be found by account alone, and the token names none.
			return because("logout_subject", errBadRequest)
		case err != nil:
			return storeFailed(err)
		}
	}
	return nil
}

// endOldSID ends those that began before sessions kept their issuer, which
// their account has.
func (a *Auth) endOldSID(ctx context.Context, providerID string, out provider.Logout) error {
	return a.revokeEach(ctx, func() ([]store.Session, error) {
		return store.SIDSessions(ctx, a.cfg.Session.Store, providerID, out.SID)
	}, func(s *store.Session) (bool, error) {
		if s.Issuer != "" || s.SID != out.SID {
			return false, nil
		}
		acct, err := a.cfg.Store.Account(ctx, s.Key)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil && acct.Issuer == out.Issuer, err
	})
}

// revokeRounds bounds how often revokeEach looks again.
const revokeRounds = 8

// revokeEach ends those of the sessions that find returns for which some returns
// true. It looks again until there are no more: one that was given another key
// meanwhile, or that a remembered browser began, has another ID.
func (a *Auth) revokeEach(ctx context.Context, find func() ([]store.Session, error), some func(*store.Session) (bool, error)) error {
	ended := make(map[string]bool)
	for range revokeRounds {
		open, err := find()
		if err != nil {
			return err
		}
		before := len(ended)
		for i := range open {
			s := &open[i]
			if ended[s.ID] {
				continue
			}
			is, err := some(s)
			if err == nil && is {
				ended[s.ID] = true
				err = a.sessions.Revoke(ctx, s.ID)
			}
			if err != nil {
				return err
			}
		}
		if len(ended) == before {
			return nil
		}
	}
	return errors.New("sessions were renewed as often as they were ended")
}

// endAccount ends the sessions of an account, all of them or those that began
// with one session of the provider.
func (a *Auth) endAccount(ctx context.Context, e *entry, out provider.Logout) error {
	for _, id := range e.ids() {
		acct, err := a.cfg.Store.Account(ctx, store.Key{Provider: id, Subject: out.Subject})
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return storeFailed(err)
		case acct.Issuer != out.Issuer:
			continue
		}
		err = a.revokeEach(ctx, func() ([]store.Session, error) {
			return a.sessions.List(ctx, acct.UserID)
		}, func(s *store.Session) (bool, error) {
			return s.Key == acct.Key && (out.SID == "" || s.SID == out.SID), nil
		})
		if err != nil {
			return storeFailed(err)
		}
	}
	return nil
}

// startLogin begins the session s of v's login by begin. If the provider has ended that
// login meanwhile, or nobody can say, so has the session, and the browser
// learns nothing of it.
func (a *Auth) startLogin(w http.ResponseWriter, r *http.Request, v *arrival, s *store.Session, who *session.Found, begin beginner) error {
	before := w.Header().Clone()
	if err := a.startSession(w, r, s, who, begin); err != nil {
		return err
	}
	out, err := a.loggedOut(r.Context(), v)
	if err == nil && !out {
		return nil
	}
	// Without its key, which the answer does not bear any more, the session is
	// nobody's even if the store fails to end it.
	clear(w.Header())
	maps.Copy(w.Header(), before)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), undoTime)
	defer cancel()
	if ended := a.sessions.Revoke(ctx, s.ID); err != nil || ended != nil {
		return errors.Join(err, storeFailed(ended))
	}
	return because("logged_out", provider.ErrDenied)
}
