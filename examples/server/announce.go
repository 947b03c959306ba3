package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/gatepass/gatepass/provider/providertest"
)

// announce says in the terminal what to open, and what to register where.
func (a *app) announce(out io.Writer, s secret, test *providertest.Server) {
	fmt.Fprintf(out, "\n  Open %s\n\n", a.cfg.BaseURL)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	kept := "users, accounts, sealed tokens and sessions are in " + a.cfg.DB
	if a.cfg.DB == memory {
		kept = "everything is in memory and gone when the program ends"
	}
	fmt.Fprintf(w, "  database\t%s\n  secret\t%s\n", kept, s.from)
	if test != nil {
		fmt.Fprintf(w, "  service\tno keys are set, so people log in with a test service at %s\n", test.URL)
		fmt.Fprintf(w, "\tfor GitHub, set GITHUB_ID and GITHUB_SECRET; other services likewise\n")
	}
	heading := "callback URLs to register, and where:"
	if test != nil {
		heading = "callback URLs, which the test service need not be told:"
	}
	fmt.Fprintf(w, "\n  %s\n", heading)
	for _, p := range a.auth.Providers() {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", p.Name, a.auth.CallbackURL(p.ID), p.Setup)
	}
	fmt.Fprintln(w)
}
