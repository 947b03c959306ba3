package middleware

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// maxTries bounds how often a login is tried again because another one took
// the same account a moment ago.
const maxTries = 3

// welcome finds or makes the user whom the identity belongs to and keeps their
// token, all or nothing. Who is logged in now stays out of it, except that a
// login never takes the browser from somebody else than the user in whose
// session it began. Finish may begin the session in the same step.
func (a *Auth) welcome(ctx context.Context, v *arrival, who *session.Found, began string, finish finisher) error {
	if err := a.admit(ctx, v.id); err != nil {
		return err
	}
	done, err := a.comeBack(ctx, v, who, began, finish)
	for try := 0; !done && try < maxTries; try++ {
		v.afresh()
		var kept error
		kept, err = a.keepNew(ctx, v, who, began, finish)
		done = !errors.Is(kept, store.ErrExists)
	}
	if !v.kept {
		err = a.judged(a.allOrNothing(ctx, v, err))
	}
	if v.linked && (v.kept || err == nil) {
		a.event(ctx, "linked_by_email", v.e.info.ID, nil) // whoever asks later how it came about finds it
	}
	return err
}

// allOrNothing removes what a login made that failed later, which a store
// without transactions has kept. The hooks have not run, so that the next try
// must be a first one again.
func (a *Auth) allOrNothing(ctx context.Context, v *arrival, err error) error {
	if err == nil || !v.signedUp && !v.linked {
		return err
	}
	return errors.Join(err, a.undo(ctx, v))
}

// judged tells what the library itself says no with, and what a provider says
// that no store could keep, from a store that failed.
func (a *Auth) judged(err error) error {
	if err == nil {
		return nil
	}
	var r *reasoned
	var failed *storeFailure
	if errors.As(err, &r) || errors.As(err, &failed) || errors.Is(err, store.ErrBadText) {
		return err
	}
	return storeFailed(err)
}

// mayReplace refuses a login that would take the browser from somebody else than
// the user in whose session it began.
func mayReplace(who *session.Found, began, userID string) error {
	if who != nil && who.User.ID != userID && who.Session.ID != began {
		return because("user_switched", ErrSwitched)
	}
	return nil
}

// enter is one try of welcome, in a transaction where the store has one. That may
// run it again: what an earlier try made is not there any more, and by now may be
// there by another login, which no failure of this one may undo.
func (a *Auth) enter(ctx context.Context, tx store.Store, v *arrival, who *session.Found, began string) error {
	v.afresh()
	acct, err := a.findAccount(ctx, tx, v)
	if err != nil {
		return err
	}
	if acct != nil {
		if err := mayReplace(who, began, acct.UserID); err != nil {
			return err
		}
		return a.enterKnown(ctx, tx, v, acct)
	}
	owner, err := a.ownerByEmail(ctx, tx, v)
	if err != nil {
		return err
	}
	acct = newAccount(v.id)
	if owner != nil {
		if err := mayReplace(who, began, owner.ID); err != nil {
			return err
		}
		acct.UserID = owner.ID
		if err := tx.AddAccount(ctx, acct); err != nil {
			return err
		}
		v.user, v.account, v.linked = owner, acct, true
		return a.putToken(ctx, tx, v)
	}
	if err := mayReplace(who, began, ""); err != nil {
		return err
	}
	u := newUser(v.id)
	if err := tx.CreateUser(ctx, u, acct); err != nil {
		return err
	}
	v.user, v.account, v.signedUp = u, acct, true
	return a.putToken(ctx, tx, v)
}

// findAccount returns the identity's account, or nil. Under a former ID of the
// provider it counts only if the issuer is the same, since another service may
// have had that ID.
func (a *Auth) findAccount(ctx context.Context, tx store.Store, v *arrival) (*store.Account, error) {
	for i, id := range v.e.ids() {
		acct, err := tx.Account(ctx, store.Key{Provider: id, Subject: v.id.Subject})
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		case acct.Issuer == v.id.Issuer:
			return acct, nil
		case i == 0:
			return nil, because("issuer_changed", &provider.Error{Provider: id, Op: "verify", Err: errors.New("account is known from another issuer")})
		}
	}
	return nil, nil
}

func (a *Auth) enterKnown(ctx context.Context, tx store.Store, v *arrival, acct *store.Account) error {
	u, err := a.enabled(ctx, tx, acct.UserID)
	if err != nil {
		return err
	}
	v.user, v.account = u, acct
	return a.updateAccount(ctx, tx, v)
}

// enabled returns the user, as the store has them now.
func (a *Auth) enabled(ctx context.Context, tx store.Store, userID string) (*store.User, error) {
	u, err := tx.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	if u.Disabled {
		return nil, because("user_disabled", ErrNotAdmitted)
	}
	return u, nil
}

// updateAccount keeps what the provider says now with the account.
func (a *Auth) updateAccount(ctx context.Context, tx store.Store, v *arrival) error {
	a.describe(v)
	if err := tx.UpdateAccount(ctx, v.account); err != nil {
		return err
	}
	return a.putToken(ctx, tx, v)
}

// describe brings the account up to what the provider says now. The user stays as
// they are: what they were called at sign-up is theirs to change.
func (a *Auth) describe(v *arrival) {
	acct, id := v.account, &v.id
	acct.Email, acct.Name, acct.Username, acct.AvatarURL = id.Email, id.Name, id.Username, id.AvatarURL
	acct.Profile = profileOf(id)
	acct.UpdatedAt = a.now().UTC()
}

// ownerByEmail returns the user to whom DangerouslyLinkByEmail gives a person
// who is new, nil if the address is nobody's, and ErrEmailTaken otherwise. An
// address that the provider does not vouch for is not looked up, so that nobody
// learns whose it is.
func (a *Auth) ownerByEmail(ctx context.Context, tx store.Store, v *arrival) (*store.User, error) {
	address, ok := parseEmail(v.id.Email)
	if !ok || !v.id.EmailVerified {
		return nil, nil
	}
	u, err := tx.UserByEmail(ctx, address)
	switch {
	case errors.Is(err, store.ErrAmbiguous):
		return nil, because("email_ambiguous", ErrEmailTaken)
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !slices.Contains(a.cfg.DangerouslyLinkByEmail, v.e.info.ID):
		return nil, because("email_taken", ErrEmailTaken)
	case u.Disabled:
		return nil, because("user_disabled", ErrNotAdmitted)
	}
	accounts, err := tx.UserAccounts(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	for _, acct := range accounts {
		// Somebody else at the same provider had the address before.
		if a.entryOf(acct.Provider) == v.e {
			return nil, because("email_ambiguous", ErrEmailTaken)
		}
	}
	return u, nil
}

// link gives the user the identity's account, or finds that they have it.
func (a *Auth) link(ctx context.Context, v *arrival, userID string) error {
	var err error
	for range maxTries {
		v.afresh()
		err = store.Transact(ctx, a.cfg.Store, func(tx store.Store) error {
			v.afresh() // as in enter
			u, err := a.enabled(ctx, tx, userID)
			if err != nil {
				return err
			}
			acct, err := a.findAccount(ctx, tx, v)
			if err != nil {
				return err
			}
			v.user = u
			if acct != nil {
				if acct.UserID != userID {
					return because("identity_in_use", ErrLinked)
				}
				v.account = acct
				return a.updateAccount(ctx, tx, v)
			}
			acct = newAccount(v.id)
			acct.UserID = userID
			if err := tx.AddAccount(ctx, acct); err != nil {
				return err
			}
			v.account, v.linked = acct, true
			return a.putToken(ctx, tx, v)
		})
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return a.judged(a.allOrNothing(ctx, v, err))
}

// refreshAccount keeps what a provider said of an account that the user has
// already. Anyone else's, or a new one, is refused.
func (a *Auth) refreshAccount(ctx context.Context, v *arrival, userID string) error {
	return a.judged(store.Transact(ctx, a.cfg.Store, func(tx store.Store) error {
		u, err := a.enabled(ctx, tx, userID)
		if err != nil {
			return err
		}
		acct, err := a.findAccount(ctx, tx, v)
		if err != nil {
			return err
		}
		if acct == nil || acct.UserID != userID {
			return because("tx_user", session.ErrFlow)
		}
		v.user, v.account = u, acct
		return a.updateAccount(ctx, tx, v)
	}))
}

// newUser is a person as the first provider describes them. An address that it
// does not vouch for stays with the account.
func newUser(id provider.Identity) *store.User {
	u := &store.User{
		Username: id.Username, Name: id.Name, AvatarURL: id.AvatarURL, Locale: id.Locale,
	}
	if id.EmailVerified {
		u.Email, u.EmailVerified = id.Email, true
	}
	if u.Name == "" {
		u.Name = u.Username
	}
	if u.Name == "" {
		u.Name = "Someone"
	}
	return u
}

func newAccount(id provider.Identity) *store.Account {
	return &store.Account{
		Key:    store.Key{Provider: id.Provider, Subject: id.Subject},
		Issuer: id.Issuer, Email: id.Email, Name: id.Name, Username: id.Username, AvatarURL: id.AvatarURL,
		Profile: profileOf(&id),
	}
}

// profileOf returns what is kept of all that the provider said, or nil.
func profileOf(id *provider.Identity) json.RawMessage {
	if len(id.Raw) > maxProfile || !json.Valid(id.Raw) {
		return nil
	}
	return id.Raw
}
