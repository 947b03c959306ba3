package databases_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/store/gormstore"
)

const (
	processes = 3
	callers   = 100
	lease     = 30 * time.Second // what a process that died costs the others
)

// A renewalWorld is a database with one person, whose token expires.
type renewalWorld struct {
	db    database
	dsn   string
	svc   *service
	store *gormstore.Store
	user  string
	ahead time.Duration // the time in this world
}

func newRenewalWorld(t *testing.T, db database) *renewalWorld {
	t.Helper()
	w := &renewalWorld{db: db, dsn: db.fresh(t), svc: newService(t)}
	w.store = db.open(t, w.dsn)
	_, w.user = newApp(t, w.store, w.svc.URL, 0, secret).mustLogin(t, "ada")
	w.expire()
	return w
}

// expire lets two hours pass. A token that comes now lives for one.
func (w *renewalWorld) expire() {
	w.ahead += 2 * time.Hour
	w.svc.set(func() { w.svc.life = w.ahead + time.Hour })
}

func (w *renewalWorld) start(t *testing.T, callers int, patience time.Duration) *process {
	t.Helper()
	return task{
		Database: w.db.name, DSN: w.dsn, Service: w.svc.URL, Ahead: w.ahead, User: w.user, Callers: callers, Patience: patience,
	}.start(t)
}

// together lets several processes want the token at the same moment.
func (w *renewalWorld) together(t *testing.T) report {
	t.Helper()
	var all [processes]*process
	for i := range all {
		all[i] = w.start(t, callers, 0)
	}
	for _, p := range all {
		p.begin(t)
	}
	var sum report
	for _, p := range all {
		r := p.report(t)
		sum.OK += r.OK
		sum.NoToken += r.NoToken
		sum.Other = append(sum.Other, r.Other...)
		p.kill()
	}
	return sum
}

func (r report) text() []string { return r.Other[:min(3, len(r.Other))] }

// However many want it, in however many processes, the service is asked once
// for a new token, and never with a refresh token that it has taken back.
func TestOneRenewalAmongProcesses(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		for round := 1; round <= 3; round++ {
			r := w.together(t)
			if r.OK != processes*callers {
				t.Errorf("round %d: %d of %d got a token; %d have none; others: %q", round, r.OK, processes*callers, r.NoToken, r.text())
			}
			if n, reused := w.svc.counts(); n != round || reused != 0 {
				t.Fatalf("round %d: the service was asked %d times, %d times with an old token; want %d and 0", round, n, reused, round)
			}
			w.expire()
		}
	})
}

// A grant that is gone costs one question, whoever asks; everybody is told to
// log in again.
func TestGrantThatIsGoneAmongProcesses(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		w.svc.set(func() {
			for _, g := range w.svc.grants {
				g.gone = true
			}
		})
		for range 2 {
			if r := w.together(t); r.NoToken != processes*callers {
				t.Errorf("%d of %d were told to log in again; %d got a token; others: %q", r.NoToken, processes*callers, r.OK, r.text())
			}
		}
		if n, _ := w.svc.counts(); n != 1 {
			t.Errorf("the service was asked %d times, want once", n)
		}
		a := newApp(t, w.store, w.svc.URL, w.ahead, secret)
		a.mustLogin(t, "ada")
		if err := a.call(t.Context(), w.user); err != nil {
			t.Errorf("after the next login: %v", err)
		}
	})
}

// A service that cannot be reached is no reason to log in again.
func TestServiceThatIsDown(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		w.svc.set(func() { w.svc.down = true })
		if r := w.together(t); r.OK != 0 || r.NoToken != 0 {
			t.Errorf("%d got a token and %d were told to log in again, want neither", r.OK, r.NoToken)
		}
		if n, _ := w.svc.counts(); n > processes {
			t.Errorf("the service was asked %d times, want once by each of %d processes at most", n, processes)
		}
		w.svc.set(func() { w.svc.down = false })
		if r := w.together(t); r.OK != processes*callers {
			t.Errorf("when it is back: %d of %d got a token; %d have none; others: %q", r.OK, processes*callers, r.NoToken, r.text())
		}
		if _, reused := w.svc.counts(); reused != 0 {
			t.Errorf("the service was shown an old token %d times", reused)
		}
	})
}

// die lets a process begin a renewal and kills it there.
func (w *renewalWorld) die(t *testing.T) {
	t.Helper()
	asked := make(chan struct{}, 1)
	w.svc.set(func() { w.svc.asked, w.svc.hold = asked, make(chan struct{}) })
	p := w.start(t, 1, 0)
	p.begin(t)
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Fatalf("the process does not renew\n%s", p.err)
	}
	if w.svc.lose {
		// The service has done its part once the new token is there.
		for deadline := time.Now().Add(10 * time.Second); w.issued() < 2; {
			if time.Now().After(deadline) {
				t.Fatal("the service gives no token")
			}
		}
	}
	p.kill()
	w.svc.set(func() { w.svc.asked, w.svc.hold, w.svc.lose = nil, nil, false })
}

func (w *renewalWorld) issued() int {
	w.svc.mu.Lock()
	defer w.svc.mu.Unlock()
	return len(w.svc.access)
}

// pass lets some of the lease's time pass by the database's clock.
func (w *renewalWorld) pass(t *testing.T, d time.Duration) {
	t.Helper()
	var until int64
	if err := w.store.DB().Raw("SELECT leased_until FROM gatepass_accounts").Scan(&until).Error; err != nil {
		t.Fatal(err)
	}
	if left := time.Until(time.UnixMicro(until)); left > lease || left < lease/2 {
		t.Errorf("the lease ends in %v, want in %v at most, and not much less", left, lease)
	}
	res := w.store.DB().Exec("UPDATE gatepass_accounts SET leased_until = leased_until - ?", d.Microseconds())
	if res.Error != nil || res.RowsAffected != 1 {
		t.Fatalf("changed %d rows, %v", res.RowsAffected, res.Error)
	}
}

// A process that dies before the service has done anything costs the others the
// time of the lease, and nothing else.
func TestKilledBeforeTheServiceAnswers(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		w.die(t)
		p := w.start(t, callers, time.Second)
		p.begin(t)
		if r := p.report(t); r.OK != 0 || r.NoToken != 0 {
			t.Errorf("during the lease: %d got a token and %d were told to log in again, want neither", r.OK, r.NoToken)
		}
		if n, _ := w.svc.counts(); n != 1 {
			t.Errorf("during the lease: the service was asked %d times, want once", n)
		}
		w.pass(t, lease)
		if r := w.together(t); r.OK != processes*callers {
			t.Errorf("after the lease: %d of %d got a token; %d have none; others: %q", r.OK, processes*callers, r.NoToken, r.text())
		}
		if n, reused := w.svc.counts(); n != 2 || reused != 0 {
			t.Errorf("the service was asked %d times, %d times with an old token; want 2 and 0", n, reused)
		}
	})
}

// Those who wait when the lease ends need not be told to try again.
func TestWaitingWhenTheLeaseEnds(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		w.die(t)
		w.pass(t, lease-2*time.Second)
		p := w.start(t, callers, 0)
		p.begin(t)
		if r := p.report(t); r.OK != callers {
			t.Errorf("%d of %d got a token; %d have none; others: %q", r.OK, callers, r.NoToken, r.text())
		}
	})
}

// If the new token was lost on its way, the old one is all that anybody has. It
// is shown once more; then the person logs in again, and nothing is half done.
func TestKilledAfterTheServiceHasAnswered(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		w.svc.set(func() { w.svc.lose = true })
		w.die(t)
		w.pass(t, lease)
		for range 2 {
			if r := w.together(t); r.NoToken != processes*callers {
				t.Errorf("%d of %d were told to log in again; %d got a token; others: %q", r.NoToken, processes*callers, r.OK, r.text())
			}
		}
		if n, reused := w.svc.counts(); n != 2 || reused != 1 {
			t.Errorf("the service was asked %d times, %d times with an old token; want 2 and 1", n, reused)
		}
		a := newApp(t, w.store, w.svc.URL, w.ahead, secret)
		a.mustLogin(t, "ada")
		if err := a.call(t.Context(), w.user); err != nil {
			t.Errorf("after the next login: %v", err)
		}
	})
}

// A service that sends a refresh token once means it to be kept, over renewals
// and over logins.
func TestRefreshTokenIsKept(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		w.svc.set(func() { w.svc.silent = true })
		for round := 1; round <= 3; round++ {
			a := newApp(t, w.store, w.svc.URL, w.ahead, secret)
			if err := a.call(t.Context(), w.user); err != nil {
				t.Fatalf("renewal %d: %v", round, err)
			}
			if n, _ := w.svc.counts(); n != round {
				t.Errorf("renewal %d: the service was asked %d times", round, n)
			}
			if round == 2 {
				// A login that brings no refresh token.
				w.svc.set(func() { w.svc.quiet = true })
				if _, err := a.login("ada"); err != nil {
					t.Fatal(err)
				}
			}
			w.expire()
		}
	})
}

// A token that no longer opens means to log in again, and no failure.
func TestTokenThatDoesNotOpen(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		w := newRenewalWorld(t, db)
		a := newApp(t, w.store, w.svc.URL, 0, newSecret)
		if err := a.call(t.Context(), w.user); !errors.Is(err, middleware.ErrNoToken) {
			t.Errorf("with another secret: got error %v, want %v", err, middleware.ErrNoToken)
		}
		b := newApp(t, w.store, w.svc.URL, 0, newSecret, secret)
		if n, err := b.auth.ResealTokens(t.Context()); n != 1 || err != nil {
			t.Errorf("ResealTokens: got %d, %v; want 1", n, err)
		}
		if err := a.call(t.Context(), w.user); err != nil {
			t.Errorf("after it was sealed anew: %v", err)
		}
	})
}
