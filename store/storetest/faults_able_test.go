package storetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/gatepass/gatepass/store"
)

func ableFaults() map[string]func(*faulty) {
	return map[string]func(*faulty){
		"OptionalContextDone": func(s *faulty) {
			s.swapRemembered = func(ctx context.Context, validator []byte, r *store.Remembered) error {
				return s.Store.SwapRemembered(context.WithoutCancel(ctx), validator, r)
			}
		},
		"OptionalConcurrentUse": func(s *faulty) { // one buffer for all
			var mu sync.Mutex
			var last []byte
			meet := make(chan struct{})
			s.swapSessionValues = func(ctx context.Context, id string, old, values []byte) error {
				err := s.Store.SwapSessionValues(ctx, id, old, values)
				if err != nil || !strings.HasPrefix(id, "life") {
					return err
				}
				mu.Lock()
				last = values
				mu.Unlock()
				select { // two at a time
				case meet <- struct{}{}:
				case <-meet:
				case <-time.After(time.Second):
				}
				return nil
			}
			s.sessionValues = func(ctx context.Context, id string) (*store.Session, []byte, error) {
				session, values, err := s.Store.SessionValues(ctx, id)
				if err == nil && strings.HasPrefix(id, "life") {
					mu.Lock()
					values = append([]byte(nil), last...)
					mu.Unlock()
				}
				return session, values, err
			}
		},
	}
}
