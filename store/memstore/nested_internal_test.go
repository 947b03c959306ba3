package memstore

import (
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// A nested transaction that fails after the outer one has ended, in a goroutine
// that was left behind, takes nothing back: the outer one is being committed. It
// takes a look inside, as the moment is over before Transact returns.
func TestNestedFailsAfterTheEnd(t *testing.T) {
	s, failed := New(), errors.New("failed")
	tx := newTransaction(s.db)
	outer := &Store{db: s.db, tx: tx}
	err := outer.Transact(t.Context(), func(inner store.Store) error {
		if err := inner.Mark(t.Context(), "m", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		tx.end()
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got error %v, want %v", err, failed)
	}
	if tx.marks.get("m") == nil {
		t.Error("what is being committed was changed")
	}
}
