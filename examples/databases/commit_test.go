package databases_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// A transaction that cannot be committed, because of what the app did in it, is
// over. What is written after it is seen by everyone, and that alone.
func TestCommitFails(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		ctx, until := t.Context(), time.Now().Add(time.Hour)
		dsn := db.fresh(t)
		s := db.open(t, dsn)
		for _, table := range []string{
			"CREATE TABLE owners (id VARCHAR(20) PRIMARY KEY)",
			"CREATE TABLE pets (owner VARCHAR(20) REFERENCES owners (id) DEFERRABLE INITIALLY DEFERRED)",
		} {
			if err := s.DB().Exec(table).Error; err != nil {
				t.Fatal(err)
			}
		}
		err := s.Transact(ctx, func(tx store.Store) error {
			if err := tx.Mark(ctx, "in", until); err != nil {
				return err
			}
			if err := tx.(*gormstore.Store).DB().Exec("INSERT INTO pets (owner) VALUES ('nobody')").Error; err != nil {
				t.Errorf("the constraint is not looked at before the end: %v", err)
			}
			return nil
		})
		if err == nil {
			t.Fatal("got no error from a transaction that breaks a constraint")
		}
		if err := s.Marked(ctx, "in"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what was written in it: got error %v, want %v", err, store.ErrNotFound)
		}
		if err := s.Mark(ctx, "statement", until); err != nil {
			t.Errorf("a statement after it: %v", err)
		}
		if err := s.Transact(ctx, func(tx store.Store) error { return tx.Mark(ctx, "transaction", until) }); err != nil {
			t.Errorf("a transaction after it: %v", err)
		}
		other := db.open(t, dsn)
		for _, id := range []string{"statement", "transaction"} {
			if err := errors.Join(s.Marked(ctx, id), other.Marked(ctx, id)); err != nil {
				t.Errorf("%s after it: %v", id, err)
			}
		}
	}, "sqlite", "postgres")
}
