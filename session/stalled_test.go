package session_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// A stalled store answers nothing before it is told to give up.
type stalled struct{ anyone }

func (s stalled) SessionUser(ctx context.Context, _ string) (*store.Session, *store.User, error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

func TestStalledStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := w.manager(func(c *session.Config) { c.Store, c.Users = stalled{anyone{w}}, stalled{anyone{w}} })
		cookie := cookieName + "=" + newSchedule(secretA, audience).token(make([]byte, 32))
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
			r.Header.Set("Cookie", cookie)
			begun := time.Now()
			_, err := m.Resolve(r)
			if took := time.Since(begun); took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, session.ErrNone) {
				t.Errorf("%s: got %v after %v, want the end of five seconds", method, err, took)
			}
		}
		// What changes something is given up with its request.
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
		r.Header.Set("Cookie", cookie)
		leave()
		if _, err := m.Resolve(r); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that the request was given up", err)
		}
	})
}
