// Hello is the smallest whole program: log in with GitHub, users and sessions
// in SQLite, one protected page, a login page and logout.
//
// Register an application at https://github.com/settings/developers with the
// callback URL http://localhost:8080/auth/callback/github. Then:
//
//	export GITHUB_ID=… GITHUB_SECRET=… SECRET=$(openssl rand -base64 32)
//	go run ./examples/hello
package main
