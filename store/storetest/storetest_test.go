package storetest

// These tests are in the package, because each needs to run the rules one by
// one against a store that breaks one of them, and to see which rules notice.

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
)

// A witness stands for the testing.T of a rule, and remembers what it reports.
type witness struct {
	testing.TB
	failed  bool
	skipped bool
	said    strings.Builder
}

func (w *witness) Helper()      {}
func (w *witness) Failed() bool { return w.failed }

func (w *witness) Logf(format string, args ...any) { fmt.Fprintf(&w.said, format+"\n", args...) }

func (w *witness) Error(args ...any) {
	w.failed = true
	w.said.WriteString(fmt.Sprintln(args...))
}

func (w *witness) Errorf(format string, args ...any) {
	w.failed = true
	w.Logf(format, args...)
}

// enough ends a rule as testing.T does, by way of a panic, so that the test
// itself goes on.
type enough struct{}

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	panic(enough{})
}

func (w *witness) Skip(args ...any) {
	w.skipped = true
	panic(enough{})
}

// watch runs a rule and returns what it reported.
func watch(t testing.TB, r rule, s store.Store) (w *witness) {
	w = &witness{TB: t}
	defer func() {
		if p := recover(); p != nil && p != (enough{}) {
			panic(p)
		}
	}()
	r.run(w, s)
	return w
}

func TestRules(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rules() {
		if names[r.name] {
			t.Errorf("two rules have the name %s", r.name)
		}
		names[r.name] = true
		if !strings.HasSuffix(r.text, ".") {
			t.Errorf("the text of %s is no sentence: %s", r.name, r.text)
		}
	}
}

// For each rule there is a store that breaks it, and no other rule.
func TestFaultyStores(t *testing.T) {
	faults := map[string]func(*faulty){}
	for _, part := range []map[string]func(*faulty){
		userFaults(), emailFaults(), accountFaults(), linkFaults(), tokenFaults(), leaseFaults(), sessionFaults(), markFaults(),
		valueFaults(), contextFaults(), finderFaults(), loginFaults(), finishFaults(), transactionFaults(), listFaults(), replaceFaults(), renewFaults(), countFaults(),
		sessionValueFaults(), visitorFaults(), sidFaults(), markedFaults(),
		rememberFaults(), swapFaults(), forgetFaults(),
		watchFaults(), withinFaults(), ableFaults(),
	} {
		for name, fault := range part {
			faults[name] = fault
		}
	}
	for _, r := range rules() {
		fault := faults[r.name]
		if fault == nil {
			t.Errorf("no store breaks the rule %s", r.name)
			continue
		}
		delete(faults, r.name)
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			var noticed []string
			for _, other := range rules() {
				s := newFaulty()
				fault(s)
				w := watch(t, other, s)
				if !w.failed {
					continue
				}
				noticed = append(noticed, other.name)
				if !strings.Contains(w.said.String(), "the rule: "+other.text) {
					t.Errorf("%s failed without saying its rule:\n%s", other.name, &w.said)
				}
			}
			if !slices.Equal(noticed, []string{r.name}) {
				t.Errorf("rules that a store fails that breaks %s: got %q, want that one alone", r.name, noticed)
			}
		})
	}
	for name := range faults {
		t.Errorf("a store breaks %s, which is no rule", name)
	}
}

// forgetful keeps of a session what every store must, and no more.
type forgetful struct{ store.Store }

func (s forgetful) CreateSession(ctx context.Context, session *store.Session) error {
	c := *session
	c.Issuer, c.Family = "", ""
	return s.Store.CreateSession(ctx, &c)
}

// A store without the optional interfaces skips their rules and passes the
// others, also if it was written before there were Issuer and Family.
func TestPlainStore(t *testing.T) {
	for name, s := range map[string]func() store.Store{
		"plain":     func() store.Store { return struct{ store.Store }{memstore.New()} },
		"forgetful": func() store.Store { return forgetful{memstore.New()} },
	} {
		skipped := 0
		for _, r := range rules() {
			w := watch(t, r, s())
			if w.failed {
				t.Errorf("%s, %s: %s", name, r.name, &w.said)
			}
			if w.skipped {
				skipped++
			}
		}
		if want := len(optionalRules()); skipped != want {
			t.Errorf("%s: skipped %d rules, want %d", name, skipped, want)
		}
	}
}

// To be told once too often does nobody harm: a store may tell of all that a
// transaction tried, however it ended.
func TestStoreThatTellsTooOften(t *testing.T) {
	for _, r := range rules() {
		s := newFaulty()
		tell := s.told()
		s.transact = func(ctx context.Context, f func(store.Store) error) error {
			for _, id := range []string{"undone", "late", "early"} {
				defer tell(store.Change{SessionID: id})
			}
			return s.Store.Transact(ctx, f)
		}
		if w := watch(t, r, s); w.failed {
			t.Errorf("%s: %s", r.name, &w.said)
		}
	}
}
