package databases_test

import (
	"testing"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
	"github.com/gatepass/gatepass/store/storetest"
	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

func TestStore(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		s := db.open(t, db.fresh(t))
		storetest.Run(t, func(t *testing.T) store.Store {
			empty(t, s)
			return s
		})
	})
}

// empty makes a store as good as new, much sooner than new tables would be.
func empty(tb testing.TB, s *gormstore.Store) {
	tb.Helper()
	for _, table := range []string{"gatepass_remembered", "gatepass_sessions", "gatepass_marks", "gatepass_accounts", "gatepass_users"} {
		if err := s.DB().Exec("DELETE FROM " + table).Error; err != nil {
			tb.Fatal(err)
		}
	}
}

// An app that has a database already has settings of its own.
func TestStoreOfTheApp(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		dsn := db.fresh(t)
		switch db.kind {
		case "postgres":
			// As behind a pooler of connections, which keeps no statements.
			dsn = with(with(dsn, "default_query_exec_mode", "simple_protocol"), "default_transaction_isolation", "serializable")
		case "mysql":
			cfg, err := mysqldriver.ParseDSN(dsn)
			if err != nil {
				t.Fatal(err)
			}
			cfg.InterpolateParams, cfg.ClientFoundRows = true, true
			cfg.Params = map[string]string{"sql_mode": "''"} // silent about what does not fit
			dsn = cfg.FormatDSN()
		}
		app, err := gorm.Open(db.dialector(dsn, nil), &gorm.Config{Logger: logger.Discard, PrepareStmt: db.kind != "postgres"})
		if err != nil {
			t.Fatal(err)
		}
		pool, err := app.DB()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { pool.Close() })
		s := gormstore.New(app)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		storetest.Run(t, func(t *testing.T) store.Store {
			empty(t, s)
			return s
		})
	})
}
