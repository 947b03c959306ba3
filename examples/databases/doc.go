// Package databases has no code. Its tests run package gormstore on real
// databases: SQLite with two drivers, PostgreSQL, and MariaDB or MySQL. It is a
// module of its own, so that programs that import the library carry no driver.
//
// The tests find the servers by two environment variables, GATEPASS_POSTGRES
// and GATEPASS_MYSQL, that hold the DSN of an account that may make databases.
// The program beside this file starts both and sets them:
//
//	./with-servers go test ./...
//
// A million people instead of ten thousand in the plans of the queries:
//
//	GATEPASS_ROWS=1000000 ./with-servers go test -run Plan -timeout 1h
//
// What a request, a sign-up, a login and a renewal cost, beside the same
// statements on database/sql, and with more people in the tables:
//
//	./with-servers go test -run '^$' -bench . -count 5
//	GATEPASS_ROWS=1000000 ./with-servers go test -run '^$' -bench . -timeout 2h
package databases
