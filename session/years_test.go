package session_test

import (
	"testing"
	"time"
)

// Where counters of seconds or of days in some number of bits come to their end, a
// login that is under way goes on, and so does a session, and both end in time.
func TestFarYears(t *testing.T) {
	for _, at := range []time.Time{
		time.Unix(1<<31, 0),                             // in 2038
		time.Unix(1<<32, 0),                             // in 2106
		time.Unix(1<<16*86400, 0),                       // in 2149
		time.Date(2262, 4, 11, 23, 47, 17, 0, time.UTC), // of nanoseconds
	} {
		w, b := newWorld(t), newBrowser(t)
		w.clock.t = at.Add(-time.Minute)
		w.m = w.manager()
		states := b.flows(w.m, 2)
		w.login(b)
		w.clock.add(2 * time.Minute)
		if f, err := b.callback(w.m, states[0]); err != nil || !f.Began.Equal(at.Add(-time.Minute)) {
			t.Errorf("%v: got a login that began at %v, %v", at, f.Began, err)
		}
		s := w.wantUser(b, w.m).Session
		if want := at.Add(-time.Minute); !s.CreatedAt.Equal(want) || !s.ExpiresAt.Equal(want.Add(7*24*time.Hour)) {
			t.Errorf("%v: got a session from %v to %v", at, s.CreatedAt, s.ExpiresAt)
		}
		w.touch(b, w.m)
		w.clock.add(9 * time.Minute)
		_, err := b.callback(w.m, states[1])
		wantReason(t, err, "tx_expired")
		w.clock.add(7 * 24 * time.Hour)
		w.wantNone(b, w.m)
	}
}
