package session

import (
	"context"

	"github.com/gatepass/gatepass/store"
)

// EndSID ends the sessions that began with that session of the provider at that
// issuer, whoever's they are, and forgets the browsers that are remembered since
// then. It is no error if there are none. The error wraps
// [errors.ErrUnsupported] if the store is no [store.SIDFinder]; then nothing has
// changed.
func (m *Manager) EndSID(ctx context.Context, providerID, issuer, sid string) error {
	if sid == "" {
		return nil // no session begins with one that has no name
	}
	list, err := store.SIDSessions(ctx, m.cfg.Store, providerID, sid)
	if err != nil {
		return failed("revoke", err)
	}
	// Stores may compare texts without regard to case.
	for _, s := range list {
		if s.Provider == providerID && s.Issuer == issuer && s.SID == sid {
			if err := m.endNamed(ctx, s.ID, nil); err != nil {
				return failed("revoke", err)
			}
		}
	}
	if m.cfg.Remembers == nil {
		return nil
	}
	families, err := m.cfg.Remembers.SIDRemembered(ctx, providerID, sid)
	if err != nil {
		return failed("revoke", err)
	}
	for _, f := range families {
		if f.Provider == providerID && f.Issuer == issuer && f.SID == sid {
			if err := m.endFamily(ctx, f.ID); err != nil {
				return failed("revoke", err)
			}
		}
	}
	return nil
}
