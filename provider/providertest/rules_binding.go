package providertest

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
)

// bindingRules are the promises about which callback is taken for which login.
func bindingRules() []rule {
	return []rule{{
		"NothingIsKept",
		"All that Complete needs is in the Memo: the callback may reach another process than the one that began.",
		func(c *trial) {
			cb := c.arrive(c.p, person(1))
			if _, _, err := c.make().Complete(c.Context(), cb); err != nil {
				c.Errorf("another instance of the provider: %v", err)
			}
		},
	}, {
		"CallbackWorksOnce",
		"A callback that has been completed fails when it comes again: its code is used.",
		func(c *trial) {
			cb := c.arrive(c.p, person(1))
			if _, _, err := c.p.Complete(c.Context(), cb); err != nil {
				c.Fatalf("Complete: %v", err)
			}
			c.fails(c.p, cb, "the same callback again")
		},
	}, {
		"MemoOfAnotherLogin",
		"A callback fails with the Memo of another login, as when a stolen code is put into it.",
		func(c *trial) {
			mine, theirs := c.request(), c.request()
			rd, stolen := c.begin(c.p, mine), c.begin(c.p, theirs)
			if !bound(rd) {
				c.Skip("the service has neither PKCE, nor a nonce, nor request tokens")
			}
			params := c.consent(stolen, person(2)).params
			params.Set("state", mine.State)
			c.fails(c.p, c.callback(mine, rd.Memo, params), "a code of another login")
		},
	}, {
		"MemoLost",
		"A callback fails without its Memo, where the Memo is not empty.",
		func(c *trial) {
			req := c.request()
			rd := c.begin(c.p, req)
			if rd.Memo == "" {
				c.Skip("the provider wants nothing remembered")
			}
			params := c.consent(rd, person(1)).params
			c.fails(c.p, c.callback(req, "", params), "no Memo")
		},
	}, {
		"CallbackDecidesNothing",
		"Further parameters of a callback are ignored or refused: they never say who the person is, nor what is sent to the service.",
		func(c *trial) {
			want, _ := c.login(c.p, person(1))
			for _, name := range []string{"sub", "id", "user_id", "email", "id_token", "access_token", "code_verifier", "redirect_uri", "client_id", "nonce", "profile"} {
				req := c.request()
				rd := c.begin(c.p, req)
				params := c.consent(rd, person(1)).params
				if params.Has(name) {
					continue
				}
				params.Set(name, person(2)["sub"].(string))
				id, _, err := c.p.Complete(c.Context(), c.callback(req, rd.Memo, params))
				if err == nil && (id.Subject != want.Subject || id.Email != want.Email) {
					c.Errorf("with the parameter %s the person is %q, want %q", name, id.Subject, want.Subject)
				}
			}
		},
	}, {
		"CallbackWithoutCode",
		"A callback that holds nothing but the state is an error.",
		func(c *trial) {
			req := c.request()
			rd := c.begin(c.p, req)
			c.consent(rd, person(1))
			c.fails(c.p, c.callback(req, rd.Memo, url.Values{"state": {req.State}}), "no code")
		},
	}, {
		"DenialIsErrDenied",
		"If the person says no, the error wraps ErrDenied, and nobody is logged in.",
		func(c *trial) {
			req := c.request()
			rd := c.begin(c.p, req)
			err := c.fails(c.p, c.callback(req, rd.Memo, c.refusal(rd).params), "the person said no")
			if err != nil && !errors.Is(err, provider.ErrDenied) {
				c.Errorf("got %v, want an error that wraps ErrDenied", err)
			}
		},
	}, {
		"FailureIsNotDenial",
		"ErrDenied means that someone said no: a service that is out of order does not.",
		func(c *trial) {
			cb := c.arrive(c.p, person(1))
			c.fault(broken(http.StatusInternalServerError, "", "token", "access_token"))
			err := c.fails(c.p, cb, "the token endpoint is out of order")
			if errors.Is(err, provider.ErrDenied) {
				c.Errorf("got %v", err)
			}
		},
	}}
}
