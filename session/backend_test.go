package session_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A backend is a memstore that counts, fails and waits as it is told.
type backend struct {
	*memstore.Store

	mu    sync.Mutex
	calls map[string]int
	fail  map[string]error
	once  map[string]error  // what the next call of that name returns
	lose  map[string]error  // what the next call of that name returns although it happened
	after map[string]func() // called when the answer is known, before it is given

	between func() // called before each call and after it
}

func newBackend(c *clock) *backend {
	b := &backend{Store: memstore.New(), calls: map[string]int{}, fail: map[string]error{}, once: map[string]error{}, lose: map[string]error{}, after: map[string]func(){}}
	b.Store.Now = c.now
	return b
}

func (b *backend) call(op string) error {
	b.step()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[op]++
	if err := b.once[op]; err != nil {
		delete(b.once, op)
		return err
	}
	return b.fail[op]
}

func (b *backend) done(op string) {
	b.mu.Lock()
	f := b.after[op]
	b.mu.Unlock()
	if f != nil {
		f()
	}
	b.step()
}

// step tells whoever wants to do something between two calls.
func (b *backend) step() {
	b.mu.Lock()
	f := b.between
	b.mu.Unlock()
	if f != nil {
		f()
	}
}

// count returns how often one of the ops was called; all, if none is named.
func (b *backend) count(ops ...string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for op, calls := range b.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

func (b *backend) failAt(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail[op] = err
}

func (b *backend) failOnce(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.once[op] = err
}

func (b *backend) loseOnce(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose[op] = err
}

func (b *backend) lost(op string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.lose[op]
	delete(b.lose, op)
	return err
}

func (b *backend) onAnswer(op string, f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after[op] = f
}

func (b *backend) CreateSession(ctx context.Context, s *store.Session) error {
	if err := b.call("CreateSession"); err != nil {
		return err
	}
	err := b.Store.CreateSession(ctx, s)
	if err == nil {
		err = b.lost("CreateSession")
	}
	b.done("CreateSession")
	return err
}

func (b *backend) CreateCounted(ctx context.Context, s *store.Session) (int, error) {
	if err := b.call("CreateCounted"); err != nil {
		return 0, err
	}
	n, err := b.Store.CreateCounted(ctx, s)
	if err == nil {
		err = b.lost("CreateCounted")
	}
	b.done("CreateCounted")
	return n, err
}

func (b *backend) Session(ctx context.Context, id string) (*store.Session, error) {
	if err := b.call("Session"); err != nil {
		return nil, err
	}
	s, err := b.Store.Session(ctx, id)
	b.done("Session")
	return s, err
}

func (b *backend) SessionUser(ctx context.Context, id string) (*store.Session, *store.User, error) {
	if err := b.call("SessionUser"); err != nil {
		return nil, nil, err
	}
	s, u, err := b.Store.SessionUser(ctx, id)
	b.done("SessionUser")
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return s, u, err
}

func (b *backend) UserSessions(ctx context.Context, userID string) ([]store.Session, error) {
	if err := b.call("UserSessions"); err != nil {
		return nil, err
	}
	list, err := b.Store.UserSessions(ctx, userID)
	b.done("UserSessions")
	return list, err
}

func (b *backend) ReplaceSessions(ctx context.Context, s *store.Session, values []byte, over []string) error {
	if err := b.call("ReplaceSessions"); err != nil {
		return err
	}
	err := b.Store.ReplaceSessions(ctx, s, values, over)
	if err == nil {
		err = b.lost("ReplaceSessions")
	}
	b.done("ReplaceSessions")
	return err
}

func (b *backend) RenewSession(ctx context.Context, id string, s *store.Session) error {
	if err := b.call("RenewSession"); err != nil {
		return err
	}
	err := b.Store.RenewSession(ctx, id, s)
	if err == nil {
		err = b.lost("RenewSession")
	}
	b.done("RenewSession")
	return err
}

func (b *backend) SessionValues(ctx context.Context, id string) (*store.Session, []byte, error) {
	if err := b.call("SessionValues"); err != nil {
		return nil, nil, err
	}
	s, values, err := b.Store.SessionValues(ctx, id)
	b.done("SessionValues")
	return s, values, err
}

func (b *backend) SwapSessionValues(ctx context.Context, id string, old, values []byte) error {
	if err := b.call("SwapSessionValues"); err != nil {
		return err
	}
	err := b.Store.SwapSessionValues(ctx, id, old, values)
	if err == nil {
		err = b.lost("SwapSessionValues")
	}
	b.done("SwapSessionValues")
	return err
}

func (b *backend) SIDSessions(ctx context.Context, provider, sid string) ([]store.Session, error) {
	if err := b.call("SIDSessions"); err != nil {
		return nil, err
	}
	list, err := b.Store.SIDSessions(ctx, provider, sid)
	b.done("SIDSessions")
	return list, err
}

func (b *backend) TouchSession(ctx context.Context, id string, seen, expires time.Time) error {
	if err := b.call("TouchSession"); err != nil {
		return err
	}
	return b.Store.TouchSession(ctx, id, seen, expires)
}

func (b *backend) DeleteSession(ctx context.Context, id string) error {
	if err := b.call("DeleteSession"); err != nil {
		return err
	}
	err := b.Store.DeleteSession(ctx, id)
	if err == nil {
		err = b.lost("DeleteSession")
	}
	b.done("DeleteSession")
	return err
}

func (b *backend) DeleteUserSessions(ctx context.Context, userID, except string) error {
	if err := b.call("DeleteUserSessions"); err != nil {
		return err
	}
	return b.Store.DeleteUserSessions(ctx, userID, except)
}

func (b *backend) Mark(ctx context.Context, id string, until time.Time) error {
	if err := b.call("Mark"); err != nil {
		return err
	}
	err := b.Store.Mark(ctx, id, until)
	if err == nil {
		err = b.lost("Mark")
	}
	b.done("Mark")
	return err
}

func (b *backend) DeleteExpired(ctx context.Context) error {
	err := b.call("DeleteExpired")
	b.done("DeleteExpired")
	return err
}

func (b *backend) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.calls)
}
