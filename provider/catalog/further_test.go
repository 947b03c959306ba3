package catalog_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// TestRefused gives each entry the token error that its service is known for,
// half of which come with status 200.
func TestRefused(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			t.Parallel()
			f := readFixture(t, e.dir)
			s := f.script(t, variant{})
			i := slices.IndexFunc(s.Calls, func(c call) bool { return c.Name == "token" })
			s.Calls[i].Answer = s.Refused.Answer
			s.Calls = s.Calls[:i+1]
			_, _, _, tok, err := logIn(t, e, s)
			checkFailure(t, s, err, variant{Error: "exchange"})
			var pe *provider.Error
			if errors.As(err, &pe) && pe.Code != s.Refused.Code {
				t.Errorf("Error.Code: got %q, want %q", pe.Code, s.Refused.Code)
			}
			if tok.AccessToken != "" {
				t.Error("a token beside the error")
			}
		})
	}
}

// TestRefresh renews the token of each service that gives a refresh token.
func TestRefresh(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			t.Parallel()
			s := readFixture(t, e.dir).script(t, variant{})
			if s.Refresh == nil {
				t.Skip("no refresh token without more scopes, or none ever")
			}
			srv, p, _, tok, err := logIn(t, e, s)
			if err != nil {
				t.Fatal(err)
			}
			srv.script.Calls, srv.next = []call{*s.Refresh}, 0
			next, err := provider.Refresh(context.Background(), p, tok)
			if err != nil {
				t.Fatal(err)
			}
			body := s.Refresh.Answer.Body.(map[string]any)
			if next.AccessToken != body["access_token"] {
				t.Errorf("access token: got %q, want %q", next.AccessToken, body["access_token"])
			}
			want := tok.RefreshToken // kept where the service sends no other
			if r, ok := body["refresh_token"]; ok {
				want = r.(string)
			}
			if next.RefreshToken != want {
				t.Errorf("refresh token: got %q, want %q", next.RefreshToken, want)
			}
			if next.Memo != tok.Memo {
				t.Errorf("Memo: got %q, want %q", next.Memo, tok.Memo)
			}
		})
	}
}

// TestRevoke withdraws a token at each service that has a way to.
func TestRevoke(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			t.Parallel()
			s := readFixture(t, e.dir).script(t, variant{})
			srv, p, _, tok, err := logIn(t, e, s)
			if err != nil {
				t.Fatal(err)
			}
			srv.script.Calls, srv.next = s.Revoke, 0
			err = provider.Revoke(context.Background(), p, tok)
			if s.Revoke == nil {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("got %v, want errors.ErrUnsupported", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
			if srv.next != len(s.Revoke) {
				t.Errorf("%d of %d requests were made", srv.next, len(s.Revoke))
			}
		})
	}
}

// TestReauth asks each service to prove the person again, if it can.
func TestReauth(t *testing.T) {
	for _, e := range entries() {
		t.Run(e.dir, func(t *testing.T) {
			t.Parallel()
			s := readFixture(t, e.dir).script(t, variant{})
			srv := newService(t, s)
			p := e.new(clientID, clientSecret, client(srv))
			if got, want := p.Info().Reauth, s.Reauth != nil; got != want {
				t.Fatalf("Info.Reauth: got %v, want %v", got, want)
			}
			if s.Reauth == nil {
				return
			}
			to, err := p.Begin(context.Background(), provider.Request{State: stateValue, CallbackURL: redirectURI, Reauth: true})
			if err != nil {
				t.Fatal(err)
			}
			srv.begun(to.URL, s.Reauth)
		})
	}
}
