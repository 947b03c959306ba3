package databases_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store/gormstore"
)

const (
	crashLogins = 500              // that were answered, over all processes
	crashKills  = 10               // at least
	crashTime   = 60 * time.Second // and then no more begin
)

// A receipt is what a browser got that logged in: from then on it is so.
type receipt struct{ subject, cookie string }

// logins collects what a process says of its logins until it ends.
func (p *process) logins(got chan<- receipt) (refused int) {
	for p.lines.Scan() {
		word, rest, _ := strings.Cut(p.lines.Text(), " ")
		subject, cookie, whole := strings.Cut(rest, " ")
		switch {
		case word == "session" && whole && len(cookie) == 64:
			got <- receipt{subject, cookie}
		case word == "refused":
			refused++
		}
	}
	return refused
}

// A process that is killed in the middle of logins leaves nothing half done, and
// forgets nobody whom it has told that they are logged in.
func TestKilledDuringLogins(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn, svc := db.fresh(t), newService(t)
		s := db.open(t, dsn)
		var all []receipt
		kills := 0
		for began := time.Now(); (len(all) < crashLogins || kills < crashKills) && time.Since(began) < crashTime; kills++ {
			do := task{Database: db.name, DSN: dsn, Service: svc.URL, Prefix: fmt.Sprintf("k%d-", kills)}
			p := do.start(t)
			p.begin(t)
			got := make(chan receipt, 10000)
			ended := make(chan int)
			go func() { ended <- p.logins(got) }()
			first := <-got // it runs
			after := time.NewTimer(time.Duration(rand.IntN(80_000)) * time.Microsecond)
			<-after.C
			_ = p.cmd.Process.Kill()
			if n := <-ended; n > 0 {
				t.Errorf("%d logins were refused before the process was killed", n)
			}
			p.kill()
			close(got)
			all = append(all, first)
			for r := range got {
				all = append(all, r)
			}
			checkWhole(t, sqlDB(t, s))
		}
		checkReceipts(t, newApp(t, s, svc.URL, 0, secret), s, all)
		t.Logf("%d logins, %d processes killed", len(all), kills)
		if len(all) < crashLogins/5 {
			t.Errorf("got %d logins in %v, too few to say anything", len(all), crashTime)
		}
	})
}

// checkWhole fails if something half done is in the tables.
func checkWhole(t *testing.T, db *sql.DB) {
	t.Helper()
	for what, query := range map[string]string{
		"users without an account": "SELECT count(*) FROM gatepass_users u WHERE NOT EXISTS (SELECT 1 FROM gatepass_accounts a WHERE a.user_id = u.id)",
		"accounts without a user":  "SELECT count(*) FROM gatepass_accounts a WHERE NOT EXISTS (SELECT 1 FROM gatepass_users u WHERE u.id = a.user_id)",
		"sessions without a user":  "SELECT count(*) FROM gatepass_sessions s WHERE NOT EXISTS (SELECT 1 FROM gatepass_users u WHERE u.id = s.user_id)",
		"accounts without a token": "SELECT count(*) FROM gatepass_accounts WHERE sealed IS NULL",
	} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("got %d %s, %v; want none", n, what, err)
		}
	}
}

// checkReceipts fails unless everybody who was told that they are logged in is.
func checkReceipts(t *testing.T, a *app, s *gormstore.Store, all []receipt) {
	t.Helper()
	for _, r := range all {
		u, err := a.who(r.cookie)
		if err != nil {
			t.Errorf("%s was logged in: %v", r.subject, err)
			continue
		}
		k := key(r.subject)
		k.Provider = "svc"
		if acct, err := s.Account(t.Context(), k); err != nil || acct.UserID != u.ID {
			t.Errorf("the account of %s: got %v, %v; want one of user %s", r.subject, acct, err, u.ID)
			continue
		}
		if err := a.call(t.Context(), u.ID); err != nil {
			t.Errorf("the token of %s: %v", r.subject, err)
		}
	}
}

// missing ends a test that needs a program which is not there. On a machine that
// checks everything that is a fault.
func missing(tb testing.TB, program, from string) {
	tb.Helper()
	say := tb.Skipf
	if os.Getenv("CI") == "true" {
		say = tb.Fatalf
	}
	say("%s is not there; it comes with %s", program, from)
}
