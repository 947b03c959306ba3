package session

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/gatepass/gatepass/store"
)

// maxRemember is for how long browsers keep a cookie (RFC 6265bis section
// 5.5).
const maxRemember = 400 * 24 * time.Hour

// setRemembers finds who keeps what remembers browsers. Without Remember none is
// looked for, so that an app which remembers nobody pays for nothing.
func (cfg *Config) setRemembers() {
	if cfg.Remember == 0 || cfg.Remembers != nil {
		return
	}
	if r, ok := cfg.Store.(store.Rememberer); ok {
		cfg.Remembers = r
	} else if r, ok := cfg.Users.(store.Rememberer); ok {
		cfg.Remembers = r
	}
}

func (cfg *Config) checkRemember(wrong func(format string, args ...any)) {
	switch {
	case cfg.Remember == 0:
		return
	case cfg.Remember < 0:
		wrong("Remember: want more than zero, got %v", cfg.Remember)
	case cfg.Remember > maxRemember:
		wrong("Remember: want at most %v, because browsers keep no cookie for longer; got %v", maxRemember, cfg.Remember)
	case cfg.Remember < cfg.Lifetime:
		wrong("Remember: want at least Lifetime, %v, because it ends sessions as well; got %v", cfg.Lifetime, cfg.Remember)
	case cfg.Remember <= cfg.Idle:
		wrong("Remember: want more than Idle, %v, after which it would begin another session; got %v", cfg.Idle, cfg.Remember)
	}
	if cfg.Remembers == nil && cfg.Store != nil {
		wrong("Remembers: want a store.Rememberer, since neither Store, %T, nor Users, %T, is one", cfg.Store, cfg.Users)
	}
}

// BeginRemembered is [Manager.Begin] for a browser whose user wants to stay
// logged in there: for Config.Remember, [Manager.Restore] begins another session
// when this one is over. If Config.Remember is zero, or the request's session
// travels in Config.Header, it is Begin.
func (m *Manager) BeginRemembered(w http.ResponseWriter, r *http.Request, s *store.Session) error {
	if _, ok := m.byHeader(r); ok || m.cfg.Remember <= 0 {
		return m.Begin(w, r, s)
	}
	t := newRememberToken(m.keys[0], m.cfg.Now())
	return m.begin(w, r, s, &t, nil)
}

// succeedRemembered stores s, by keep if that is given, and the family that f
// begins, if any, and ends the sessions and families that the browser had before.
// If it fails, neither s nor the family remains, since nobody was given their keys.
func (m *Manager) succeedRemembered(ctx context.Context, s *store.Session, before []token, held []rememberToken, f *rememberToken, keep keepFunc) error {
	over, err := m.families(ctx, before, held)
	if err != nil {
		return err
	}
	var c *succession
	countable := keep != nil || m.countable(before)
	if !countable {
		if c, err = m.succession(ctx, s, before, over); err != nil {
			return err
		}
	}
	if f != nil {
		if err := m.remember(ctx, f, s, over); err != nil {
			return err
		}
	}
	if countable {
		c, err = m.succeedCounted(ctx, s, over, keep)
	} else {
		err = m.succeed(ctx, c)
	}
	if err != nil {
		return errors.Join(err, m.unremember(ctx, s.Family))
	}
	for i := 0; err == nil && i < len(over); i++ {
		err = m.endFamilySurely(ctx, over[i])
	}
	if err == nil && len(c.families) > 0 {
		err = surely(ctx, func(ctx context.Context) error { return m.forgetEach(ctx, c.families) })
	}
	if err != nil {
		return errors.Join(err, m.undo(ctx, s.ID), m.unremember(ctx, s.Family))
	}
	return nil
}

// forgetEach forgets families of which the sessions end otherwise.
func (m *Manager) forgetEach(ctx context.Context, ids []string) error {
	if m.cfg.Remembers == nil {
		return nil
	}
	for _, id := range ids {
		if err := m.cfg.Remembers.DeleteRemembered(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// remembered reports whether a family may still restore its user at now.
func (m *Manager) remembered(rec *store.Remembered, now time.Time) bool {
	return now.Before(rec.ExpiresAt) && now.Before(rec.CreatedAt.Add(m.cfg.Remember)) &&
		!rec.CreatedAt.Before(m.cfg.NotBefore) && !rec.CreatedAt.After(now.Add(maxAhead))
}

// remember stores the family that t begins with s, in place of the user's least
// recently used ones if there are too many beside those in going.
func (m *Manager) remember(ctx context.Context, t *rememberToken, s *store.Session, going []string) error {
	list, err := m.cfg.Remembers.UserRemembered(ctx, s.UserID)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(f store.Remembered) bool { return slices.Contains(going, f.ID) })
	for i := range list {
		if i >= m.cfg.MaxPerUser-1 {
			if err := m.cfg.Remembers.DeleteRemembered(ctx, list[i].ID); err != nil {
				return err
			}
		}
	}
	err = m.cfg.Remembers.CreateRemembered(ctx, &store.Remembered{
		ID: t.family(), UserID: s.UserID, Key: s.Key, Issuer: s.Issuer, SID: s.SID, Validator: t.validator(),
		CreatedAt: s.CreatedAt, UsedAt: s.CreatedAt, ExpiresAt: s.CreatedAt.Add(m.cfg.Remember),
		UserAgent: s.UserAgent, IP: s.IP,
	})
	if err == nil || errors.Is(err, store.ErrExists) {
		return err
	}
	// It may be the answer that was lost on the way.
	return errors.Join(err, m.unremember(ctx, t.family()))
}

// unremember takes back a family whose keys nobody was given. The request's
// context may be over, which may be why.
func (m *Manager) unremember(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	return m.cfg.Remembers.DeleteRemembered(ctx, id)
}

// families returns the IDs of the families that those sessions and remember
// tokens are of.
func (m *Manager) families(ctx context.Context, tokens []token, held []rememberToken) ([]string, error) {
	if m.cfg.Remembers == nil {
		return nil, nil
	}
	var ids []string
	for i := range held {
		ids = append(ids, held[i].family())
	}
	for i := range tokens {
		id, err := m.familyOf(ctx, tokens[i].id())
		if err != nil {
			return nil, err
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// endFamilies ends the families of those sessions and remember tokens.
func (m *Manager) endFamilies(ctx context.Context, tokens []token, held []rememberToken) error {
	ids, err := m.families(ctx, tokens, held)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := m.endFamily(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// familyOf returns the ID of the family of the session with that ID, or "". The
// ID of a family is its own: List shows those without a session like one.
func (m *Manager) familyOf(ctx context.Context, id string) (string, error) {
	switch {
	case m.cfg.Remembers == nil || id == "":
		return "", nil
	case len(id) == familyText:
		return id, nil
	}
	s, err := m.cfg.Store.Session(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err == nil && s == nil {
		err = errNil
	}
	if err != nil {
		return "", err
	}
	return s.Family, nil
}

// endFamily forgets a family and ends its sessions. It is no error if it has
// ended.
//
// Sessions end before the family, so that whoever tries again after a failure
// still finds whose they are, and after it: a Restore that is under way stores
// its session before it swaps the family's token, so that either there is none
// to swap, or the session is found here.
func (m *Manager) endFamily(ctx context.Context, id string) error {
	rec, err := m.familyRecord(ctx, id)
	if rec == nil {
		return err
	}
	return m.endFamilyOf(ctx, rec.UserID, id)
}

// endFamilySurely is endFamily for a login that has ended the browser's session
// already. It tries all again with what it knows: a family that was forgotten,
// though the answer was lost, is not found any more, and its sessions are.
func (m *Manager) endFamilySurely(ctx context.Context, id string) error {
	var rec *store.Remembered
	return surely(ctx, func(ctx context.Context) (err error) {
		if rec == nil {
			if rec, err = m.familyRecord(ctx, id); rec == nil {
				return err
			}
		}
		return m.endFamilyOf(ctx, rec.UserID, id)
	})
}

// familyRecord returns what is stored of a family, or nil if it has ended.
func (m *Manager) familyRecord(ctx context.Context, id string) (*store.Remembered, error) {
	rec, err := m.cfg.Remembers.Remembered(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case rec == nil:
		return nil, errNil
	}
	return rec, nil
}

// endFamilyOf is endFamily for one of which the user is known.
func (m *Manager) endFamilyOf(ctx context.Context, userID, id string) error {
	if err := m.endSessionsOf(ctx, userID, id); err != nil {
		return err
	}
	if err := m.cfg.Remembers.DeleteRemembered(ctx, id); err != nil {
		return err
	}
	return m.endSessionsOf(ctx, userID, id)
}

func (m *Manager) endSessionsOf(ctx context.Context, userID, family string) error {
	list, err := m.cfg.Store.UserSessions(ctx, userID)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Family == family {
			if err := m.endNamed(ctx, s.ID, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetBrowserOf ends the family of the session with that ID, or the one with
// that ID.
func (m *Manager) forgetBrowserOf(ctx context.Context, id string) error {
	family, err := m.familyOf(ctx, id)
	if err != nil || family == "" {
		return err
	}
	return m.endFamily(ctx, family)
}

// forgetBrowsers forgets the user's families, except that of the session with
// the ID except. Their sessions are for the caller to end, afterwards.
func (m *Manager) forgetBrowsers(ctx context.Context, userID, except string) error {
	if m.cfg.Remembers == nil {
		return nil
	}
	kept, err := m.familyOf(ctx, except)
	if err != nil {
		return err
	}
	return m.cfg.Remembers.DeleteUserRemembered(ctx, userID, kept)
}

// forgetBrowsersWhere is forgetBrowsers for some of them.
func (m *Manager) forgetBrowsersWhere(ctx context.Context, userID, except string, some func(*store.Remembered) bool) error {
	if m.cfg.Remembers == nil {
		return nil
	}
	kept, err := m.familyOf(ctx, except)
	if err != nil {
		return err
	}
	list, err := m.cfg.Remembers.UserRemembered(ctx, userID)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].ID != kept && some(&list[i]) {
			if err := m.cfg.Remembers.DeleteRemembered(ctx, list[i].ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// withRemembered adds the user's families that have no session in list.
func (m *Manager) withRemembered(ctx context.Context, userID string, list []store.Session, now time.Time) ([]store.Session, error) {
	if m.cfg.Remembers == nil {
		return list, nil
	}
	families, err := m.cfg.Remembers.UserRemembered(ctx, userID)
	if err != nil {
		return nil, err
	}
	for i := range families {
		f := &families[i]
		has := slices.ContainsFunc(list, func(s store.Session) bool { return s.Family == f.ID })
		if has || !m.remembered(f, now) {
			continue
		}
		list = append(list, store.Session{
			ID: f.ID, UserID: f.UserID, Key: f.Key, Issuer: f.Issuer, SID: f.SID, Family: f.ID,
			CreatedAt: f.CreatedAt, SeenAt: f.UsedAt, ExpiresAt: f.ExpiresAt, UserAgent: f.UserAgent, IP: f.IP,
		})
	}
	slices.SortStableFunc(list, func(a, b store.Session) int { return b.SeenAt.Compare(a.SeenAt) })
	return list, nil
}

// predecessors returns the IDs of the sessions that end when s is restored,
// beside those in going: those that its family had, and the user's least
// recently seen ones if there are too many, with their families.
func (m *Manager) predecessors(ctx context.Context, s *store.Session, going []token) (ends, families []string, err error) {
	list, err := m.cfg.Store.UserSessions(ctx, s.UserID)
	if err != nil {
		return nil, nil, err
	}
	list = slices.DeleteFunc(list, func(other store.Session) bool {
		if slices.ContainsFunc(going, func(t token) bool { return t.id() == other.ID }) {
			return true
		}
		if other.Family == s.Family {
			ends = append(ends, other.ID)
			return true
		}
		return false
	})
	crowd, families := idsOf(m.crowded(list))
	return append(ends, crowd...), families, nil
}

// remembersElsewhere reports whether families are kept elsewhere than sessions.
func (m *Manager) remembersElsewhere() bool {
	a, b := reflect.ValueOf(m.cfg.Remembers), reflect.ValueOf(m.cfg.Store)
	return m.cfg.Remembers != nil && !(a.Comparable() && b.Comparable() && any(m.cfg.Remembers) == any(m.cfg.Store))
}
