package session

import (
	"context"
	"errors"

	"github.com/gatepass/gatepass/store"
)

// EndSID ends the sessions that began with that session of the provider at that
// issuer, whoever's they are, and forgets the browsers that are remembered since
// then. All three must be given. It is no error if there are none. The error wraps
// [errors.ErrUnsupported] if the store is no [store.SIDFinder]; then nothing has
// changed.
func (m *Manager) EndSID(ctx context.Context, providerID, issuer, sid string) error {
	if providerID == "" || issuer == "" || sid == "" {
		return &Error{Op: "revoke", Reason: "no_sid", Err: errors.New("want a provider, an issuer and a SID, none of them empty")}
	}
	// Stores may compare texts without regard to case.
	of := func(k store.Key, i, s string) bool { return k.Provider == providerID && i == issuer && s == sid }
	end := func() error {
		return m.endEach(ctx, func(ctx context.Context) ([]store.Session, error) {
			return store.SIDSessions(ctx, m.cfg.Store, providerID, sid)
		}, func(s *store.Session) bool { return of(s.Key, s.Issuer, s.SID) })
	}
	err := end()
	if err == nil {
		var some bool
		some, err = m.forgetBrowsersOfSID(ctx, providerID, sid, func(f *store.Remembered) bool { return of(f.Key, f.Issuer, f.SID) })
		if err == nil && some {
			err = end() // a browser may have come back meanwhile
		}
	}
	if err != nil {
		return failed("revoke", err)
	}
	return nil
}

// forgetBrowsersOfSID forgets families that began with that session of the
// provider's, and reports whether there are any.
func (m *Manager) forgetBrowsersOfSID(ctx context.Context, providerID, sid string, which func(*store.Remembered) bool) (some bool, err error) {
	if m.cfg.Remembers == nil {
		return false, nil
	}
	list, err := m.cfg.Remembers.SIDRemembered(ctx, providerID, sid)
	if err != nil {
		return false, err
	}
	for i := range list {
		if which(&list[i]) {
			some = true
			if err := m.cfg.Remembers.DeleteRemembered(ctx, list[i].ID); err != nil {
				return some, err
			}
		}
	}
	return some, nil
}
