package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

// mustLogin fails the test unless the login succeeds.
func (op *hostileOP) mustLogin(t *testing.T, p provider.Provider) {
	t.Helper()
	if _, _, err := op.login(t, p); err != nil {
		t.Fatal(err)
	}
}

func (op *hostileOP) wantKeyRequests(t *testing.T, want int) {
	t.Helper()
	if got := op.count("/jwks"); got != want {
		t.Errorf("got %d requests for keys, want %d", got, want)
	}
}

// A service that rotates its key costs one more request for keys, and no login.
func TestKeyRotation(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.mustLogin(t, p)
	op.wantKeyRequests(t, 1)
	op.key, op.kid = otherRSA(), "k2"
	op.mustLogin(t, p)
	op.mustLogin(t, p)
	op.wantKeyRequests(t, 2)
}

// A service without key IDs may rotate, too.
func TestKeyRotationWithoutKeyID(t *testing.T) {
	op := newOP()
	op.kid = ""
	p := op.provider()
	op.mustLogin(t, p)
	op.key = otherRSA()
	op.mustLogin(t, p)
	op.wantKeyRequests(t, 2)
}

// Tokens with made-up key IDs cost the service one request a minute, and the
// others fail at once.
func TestUnknownKeyIDFlood(t *testing.T) {
	op := newOP()
	op.alg, op.key = "EdDSA", edKey() // quick to sign with
	p := op.provider()
	op.mustLogin(t, p)
	v := p.(provider.LogoutVerifier)
	flood := func() {
		for i := range 1000 {
			_, err := v.VerifyLogout(t.Context(), op.logoutToken(set("kid", fmt.Sprint("made-up-", i)), nil))
			wantReason(t, err, "logout_token_sig")
		}
	}
	flood()
	op.wantKeyRequests(t, 2)
	op.clock.add(59 * time.Second)
	flood()
	op.wantKeyRequests(t, 2)
	op.clock.add(time.Second)
	flood()
	op.wantKeyRequests(t, 3)
	op.mustLogin(t, p)
}

// A signature that does not fit its key is no reason to ask for keys: anyone can
// write a key ID that exists.
func TestForgeryWithKnownKeyID(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.rawToken = resign("RS256", otherRSA(), nil)
	_, _, err := op.login(t, p)
	wantReason(t, err, "id_token_sig")
	op.wantKeyRequests(t, 1)
}

// A flood at first use is one request, not two.
func TestUnknownKeyIDAtFirstUse(t *testing.T) {
	op := newOP()
	op.header = set("kid", "made-up")
	_, _, err := op.login(t, op.provider())
	wantReason(t, err, "id_token_sig")
	op.wantKeyRequests(t, 1)
}

// A key that the service took back verifies nothing once the set is fetched
// again: sets are replaced, not merged.
func TestRemovedKey(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.keys = func() any { return map[string]any{"keys": []any{jwkOf(otherRSA(), "k2")}} }
	op.clock.add(time.Hour)
	_, _, err := op.login(t, p)
	wantReason(t, err, "id_token_sig")
	op.wantKeyRequests(t, 2)
}

// Cached keys outlive an outage of a day, and no longer.
func TestKeysUnavailable(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"status_500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"status_404": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(404)
			writeJSON(w, map[string]any{"keys": []any{jwkOf(rsaKey(), "k1")}})
		},
		"no_connection":  func(http.ResponseWriter, *http.Request) { panic("connection refused") },
		"html":           func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no_keys_member": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"error":"busy"}`) },
		"keys_null":      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":null}`) },
		"keys_object":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":{}}`) },
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			op := newOP()
			p := op.provider(func(d *provider.OIDC) { // nothing but keys is to grow old
				d.Endpoint.AuthURL, d.Endpoint.TokenURL, d.KeysURL = opIssuer+"/authorize", opIssuer+"/token", opIssuer+"/jwks"
			})
			op.mustLogin(t, p)
			op.intercept["/jwks"] = answer
			op.clock.add(23*time.Hour + 59*time.Minute)
			op.mustLogin(t, p)
			op.clock.add(time.Minute)
			_, _, err := op.login(t, p)
			wantReason(t, err, "jwks_unavailable")
			if name == "status_500" || name == "no_connection" {
				if !isUnavailable(err) {
					t.Errorf("got %v, want one that wraps ErrUnavailable", err)
				}
			}
			delete(op.intercept, "/jwks")
			op.clock.add(time.Minute)
			op.mustLogin(t, p)
		})
	}
}

// A login with a new key during an outage says that the keys are missing, not
// that the signature is bad, and does not ask again and again.
func TestRotationDuringOutage(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.key, op.kid = otherRSA(), "k2"
	op.intercept["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	for range 5 {
		_, _, err := op.login(t, p)
		wantReason(t, err, "jwks_unavailable")
	}
	op.wantKeyRequests(t, 2)
}

// Keys that are due and cannot be had are not asked for twice by one login.
func TestRotationWhileKeysAreDue(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.key, op.kid = otherRSA(), "k2"
	op.intercept["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	op.clock.add(time.Hour)
	_, _, err := op.login(t, p)
	wantReason(t, err, "jwks_unavailable")
	op.wantKeyRequests(t, 2)
}

// After the clock was put back, a new key is still asked for.
func TestRotationAfterClockPutBack(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.key, op.kid = otherRSA(), "k2"
	op.mustLogin(t, p)
	op.clock.add(-time.Hour)
	op.key, op.kid = rsaKey(), "k3"
	op.mustLogin(t, p)
	op.wantKeyRequests(t, 3)
}

// A hung service holds up one login; the next are told at once.
func TestKeysAtFirstUseFailFast(t *testing.T) {
	op := newOP()
	op.intercept["/jwks"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	p := op.provider()
	for range 10 {
		_, _, err := op.login(t, p)
		wantReason(t, err, "jwks_unavailable")
	}
	op.wantKeyRequests(t, 1)
	op.clock.add(5 * time.Second)
	_, _, err := op.login(t, p)
	wantReason(t, err, "jwks_unavailable")
	op.wantKeyRequests(t, 2)
	op.clock.add(3 * time.Second) // the pause has doubled, less a quarter at most
	_, _, err = op.login(t, p)
	wantReason(t, err, "jwks_unavailable")
	op.wantKeyRequests(t, 2)
	delete(op.intercept, "/jwks")
	op.clock.add(7 * time.Second)
	op.mustLogin(t, p)
}

// Fifty logins at once with cold caches ask once, and the one that asked may
// go away without the others noticing.
func TestKeysHerd(t *testing.T) {
	op := newOP()
	p := op.provider()
	arrived, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	op.intercept["/jwks"] = func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(arrived) })
		<-release
		writeJSON(w, map[string]any{"keys": []any{jwkOf(rsaKey(), "k1")}})
	}
	v := p.(provider.LogoutVerifier)
	token := op.logoutToken(nil, nil)
	first, cancel := context.WithCancel(t.Context())
	firstDone := make(chan error, 1)
	go func() {
		_, err := v.VerifyLogout(first, token)
		firstDone <- err
	}()
	<-arrived
	var others sync.WaitGroup
	errs := make(chan error, 50)
	for range 50 {
		others.Go(func() {
			_, err := v.VerifyLogout(t.Context(), token)
			errs <- err
		})
	}
	cancel()
	if err := <-firstDone; err == nil {
		t.Error("got no error for the caller that was cancelled")
	}
	close(release)
	others.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Errorf("got %v for a caller that was not cancelled", err)
		}
	}
	op.wantKeyRequests(t, 1)
	if got := op.count("/.well-known/openid-configuration"); got != 1 {
		t.Errorf("got %d requests for metadata, want 1", got)
	}
}

// Many logins right after a rotation share one request for the new key.
func TestKeyRotationHerd(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.key, op.kid = otherRSA(), "k2"
	v := p.(provider.LogoutVerifier)
	token := op.logoutToken(nil, nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := v.VerifyLogout(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	op.wantKeyRequests(t, 2)
}

// When metadata names another address of keys, those of the old one are gone.
func TestKeysMove(t *testing.T) {
	op := newOP()
	p := op.provider()
	op.mustLogin(t, p)
	op.metadata = set("jwks_uri", opIssuer+"/jwks-new")
	op.intercept["/jwks-new"] = func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"keys": []any{jwkOf(otherRSA(), "k1")}})
	}
	op.clock.add(time.Hour)
	_, _, err := op.login(t, p)
	wantReason(t, err, "id_token_sig")
	op.key = otherRSA()
	op.mustLogin(t, p)
	op.wantKeyRequests(t, 1)
}
