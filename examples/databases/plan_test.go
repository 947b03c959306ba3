package databases_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/gormstore"
)

// However many people there are, every statement of package gormstore finds its
// rows by an index. The statements are recorded below the store, as the
// database gets them, and each is explained by the database over ten thousand
// people, or as many as GATEPASS_ROWS says.
func TestPlan(t *testing.T) {
	each(t, func(t *testing.T, db database) {
		n := rows(t, 10_000)
		dsn := db.fresh(t)
		pool := connect(t, db.driver, dsn)
		rec := recording(pool)
		s := opened(t, db.dialector(dsn, rec))
		fill(t, db, pool, n)
		rec.take()
		useEverything(t, s, n)
		seen := rec.take()
		if got, want := len(ours(seen)), expected(t, db); got != want {
			t.Errorf("recorded %d statements, want all %d of statements.go:\n%s", got, want, strings.Join(slices.Sorted(maps.Keys(ours(seen))), "\n"))
		}
		check := func(when string) {
			for query, args := range ours(seen) {
				for _, plan := range explain(t, db, pool, query, args) {
					if bad := scans(db, plan); bad != "" {
						t.Errorf("%s: %s\nreads a whole table: %s\n%s", when, query, bad, plan)
					}
				}
			}
		}
		if db.kind == "sqlite" {
			check("before ANALYZE") // nobody runs it there
		}
		analyze(t, db, pool)
		check("after ANALYZE")
	})
}

// useEverything calls every method, in each of its ways.
func useEverything(t *testing.T, s *gormstore.Store, n int) {
	t.Helper()
	ctx := t.Context()
	later := time.Now().Add(time.Hour)
	subject := fmt.Sprint(n / 2)
	id, session := "user"+subject, "session"+subject
	u, err := s.User(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Account(ctx, key(subject))
	if err != nil {
		t.Fatal(err)
	}
	newUser, newAccount := person("new")
	nobody := &store.Account{Key: key("nobody")}
	_, err = s.UserByEmail(ctx, "PERSON"+subject+"@example.com")
	errs := []error{err,
		s.UpdateUser(ctx, u),
		s.CreateUser(ctx, newUser, newAccount),
		s.UpdateAccount(ctx, a),
		s.PutToken(ctx, a.Key, sealedToken()),
		s.CreateSession(ctx, newSession(id)),
		s.TouchSession(ctx, session, time.Now(), later),
		s.Mark(ctx, "new", later),
		s.Mark(ctx, "mark999", later),
		s.AddAccount(ctx, &store.Account{Key: key("added"), UserID: id}),
		s.RemoveAccount(ctx, key("added"), []string{"github"}),
	}
	// The ways that find nothing, and look why.
	for _, err := range []error{
		s.UpdateUser(ctx, &store.User{ID: "nobody"}),
		s.UpdateAccount(ctx, nobody),
		s.PutToken(ctx, nobody.Key, sealedToken()),
		s.CreateUser(ctx, newUser, a),
	} {
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrExists) {
			errs = append(errs, fmt.Errorf("want ErrNotFound or ErrExists, got %w", err))
		}
	}
	_, err = s.UserAccounts(ctx, id)
	errs = append(errs, err)
	leased, err := s.LeaseToken(ctx, a.Key, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	errs = append(errs, s.SwapToken(ctx, a.Key, leased.Sealed, &store.Token{Sealed: []byte("x")}), s.DeleteToken(ctx, a.Key))
	_, err = s.Session(ctx, session)
	errs = append(errs, err)
	_, _, err = s.SessionUser(ctx, session)
	errs = append(errs, err)
	_, err = s.UserSessions(ctx, id)
	errs = append(errs, err, s.DeleteUserSessions(ctx, id, session), s.DeleteUserSessions(ctx, id, ""), s.DeleteSession(ctx, session),
		s.DeleteUser(ctx, id), s.DeleteExpired(ctx))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	useMore(t, s, n)
}

// useMore calls the methods that a store need not have.
func useMore(t *testing.T, s *gormstore.Store, n int) {
	t.Helper()
	ctx := t.Context()
	id := fmt.Sprint("user", n/3)
	var many []string
	for i := range 56 {
		many = append(many, fmt.Sprint("session", n/5+i))
	}
	session, r := newSession(id), newRemembered(id)
	old := r.Validator
	r.SID = "sid"
	known, _, tok, err := s.AccountUser(ctx, key(fmt.Sprint(n/3)))
	if err != nil {
		t.Fatal(err)
	}
	errs := []error{
		s.UpdateAccountToken(ctx, known, tok, sealedToken()),
		s.ReplaceSessions(ctx, session, nil, many[:1]),
		s.ReplaceSessions(ctx, newSession(id), nil, many[1:3]),
		s.ReplaceSessions(ctx, newSession(id), nil, many[3:]),
		s.SwapSessionValues(ctx, session.ID, nil, []byte("a")),
		s.SwapSessionValues(ctx, session.ID, []byte("a"), []byte("b")),
		s.RenewSession(ctx, session.ID, newSession(id)),
		s.CreateRemembered(ctx, r),
		s.SwapRemembered(ctx, old, r),
	}
	if err := s.SwapSessionValues(ctx, session.ID, nil, []byte("c")); !errors.Is(err, store.ErrNotFound) {
		errs = append(errs, fmt.Errorf("want ErrNotFound, got %w", err))
	}
	for _, ids := range [][]string{{"nobody"}, {"nobody", "none"}} {
		if err := s.Marked(ctx, ids...); !errors.Is(err, store.ErrNotFound) {
			errs = append(errs, fmt.Errorf("want ErrNotFound, got %w", err))
		}
	}
	if _, err := s.FinishLogin(ctx, known, sealedToken(), sealedToken(), newSession(id)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		errs = append(errs, err)
	}
	if counted, err := s.CreateCounted(ctx, newSession(id)); err != nil || counted < 2 {
		errs = append(errs, fmt.Errorf("CreateCounted: got %d, %w", counted, err))
	}
	found, err := s.Remembered(ctx, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.UserRemembered(ctx, id)
	errs = append(errs, err)
	bySID, err := s.SIDRemembered(ctx, found.Provider, found.SID)
	errs = append(errs, err)
	sessions, err := s.SIDSessions(ctx, "github", fmt.Sprint("sid", n/4))
	errs = append(errs, err, s.DeleteUserRemembered(ctx, id, r.ID), s.DeleteUserRemembered(ctx, id, ""), s.DeleteRemembered(ctx, r.ID))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if len(bySID) != 1 || len(sessions) != 1 {
		t.Errorf("got %d remembered browsers and %d sessions by SID, want one each", len(bySID), len(sessions))
	}
}

// ours are the statements that look into a table.
func ours(seen map[string][]any) map[string][]any {
	found := map[string][]any{}
	for query, args := range seen {
		if strings.Contains(query, "gatepass_") {
			found[query] = args
		}
	}
	return found
}

// expected is how many of the statements in the source of package gormstore
// this database gets, so that none that is added there is forgotten here.
func expected(t *testing.T, db database) int {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../store/gormstore/statements.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok && fmt.Sprint(lit.Type) == "statements" {
			for _, e := range lit.Elts {
				names[fmt.Sprint(e.(*ast.KeyValueExpr).Key)] = true
			}
		}
		return true
	})
	if db.kind == "sqlite" {
		delete(names, "leaseByDatabase") // has no clock
		delete(names, "lockUser")        // the same as userExists: has no locks of rows
	} else {
		delete(names, "leaseByUs")
		delete(names, "takeLock") // for SQLite alone
	}
	if db.kind == "postgres" {
		delete(names, "countSessions") // in one with the insertion
	} else {
		delete(names, "finishLogin")
		delete(names, "insertCounted")
	}
	if len(names) < 48 {
		t.Fatalf("found %d statements in statements.go", len(names))
	}
	return len(names)
}

// explain returns the plans by which the database runs a statement: one for
// these very arguments and, where the database may come to prefer it, the one
// for any.
func explain(t *testing.T, db database, pool *sql.DB, query string, args []any) []string {
	t.Helper()
	ctx := t.Context()
	switch db.kind {
	case "sqlite":
		return []string{table(t, ctx, pool, "EXPLAIN QUERY PLAN "+query, args)}
	case "mysql":
		return []string{table(t, ctx, pool, "EXPLAIN "+query, args)}
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	plans := []string{table(t, ctx, conn, "EXPLAIN "+query, args)}
	var values []string
	for _, arg := range args {
		values = append(values, literal(t, arg))
	}
	list := ""
	if len(values) > 0 {
		list = "(" + strings.Join(values, ", ") + ")"
	}
	for _, statement := range []string{"SET plan_cache_mode = force_generic_plan", "PREPARE generic AS " + query} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	plans = append(plans, table(t, ctx, conn, "EXPLAIN EXECUTE generic"+list, nil))
	for _, statement := range []string{"RESET plan_cache_mode", "DEALLOCATE generic"} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	return plans
}

// literal is a value as PostgreSQL reads it.
func literal(t *testing.T, arg any) string {
	t.Helper()
	switch v := arg.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case []byte:
		return fmt.Sprintf(`'\x%x'`, v)
	case time.Time:
		return "'" + v.Format(time.RFC3339Nano) + "'"
	case int64, bool:
		return fmt.Sprint(v)
	case nil:
		return "NULL"
	}
	t.Fatalf("want a value that a statement is given, got %T", arg)
	return ""
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// table returns what a query answers, a line for each row, with the names of
// the columns.
func table(t *testing.T, ctx context.Context, q querier, query string, args []any) string {
	t.Helper()
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			fmt.Fprintf(&b, "%s=%s; ", columns[i], v.String)
		}
		b.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// scans returns where a plan reads all of a table, or all of an index.
func scans(db database, plan string) string {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		switch db.kind {
		case "sqlite":
			// SEARCH looks up, SCAN goes through. The one that takes the write lock
			// looks at 1 = 0 first.
			if strings.Contains(line, "SCAN ") && !(len(lines) == 2 && strings.Contains(line, "SCAN gatepass_marks;")) {
				return line
			}
		case "postgres":
			// An index that is read without a condition is read to its end.
			if strings.Contains(line, "Seq Scan") || strings.Contains(line, "Index") && strings.Contains(line, " Scan ") && !strings.Contains(lines[i+1], "Index Cond") {
				return line
			}
		case "mysql":
			if wholeTable.MatchString(line) && !strings.Contains(line, "select_type=INSERT;") {
				return line
			}
		}
	}
	return ""
}

// ALL is the table, index all of an index.
var wholeTable = regexp.MustCompile(`type=(ALL|index);`)
