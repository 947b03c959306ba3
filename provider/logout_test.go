package provider_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/provider"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

func isUnavailable(err error) bool { return errors.Is(err, provider.ErrUnavailable) }

// logoutToken makes a logout token, changed by header and claims where they are
// not nil.
func (op *hostileOP) logoutToken(header, claims func(map[string]any)) string {
	now := op.clock.Now().Unix()
	h := op.idHeader()
	h["typ"] = "logout+jwt"
	c := map[string]any{
		"iss": op.issuer, "sub": opSubject, "sid": "session-1", "aud": opClient, "iat": now, "exp": now + 120,
		"jti": "jti-1", "events": map[string]any{logoutEvent: map[string]any{}},
	}
	if header != nil {
		header(h)
	}
	if claims != nil {
		claims(c)
	}
	return op.sign(h, encode(c))
}

func TestVerifyLogout(t *testing.T) {
	tests := []struct {
		name         string
		claims       func(map[string]any)
		subject, sid string
	}{
		{"sub_and_sid", nil, opSubject, "session-1"},
		{"sub_only", drop("sid"), opSubject, ""},
		{"sid_only", drop("sub"), "", "session-1"},
		{"audience_list", set("aud", []string{opClient}), opSubject, "session-1"},
		{"event_with_content", set("events", map[string]any{logoutEvent: map[string]any{"x": 1}}), opSubject, "session-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			out, err := provider.VerifyLogout(t.Context(), op.provider(), op.logoutToken(nil, tt.claims))
			if err != nil {
				t.Fatal(err)
			}
			want := provider.Logout{Issuer: opIssuer, Subject: tt.subject, SID: tt.sid, JTI: "jti-1", IssuedAt: out.IssuedAt}
			if out != want || !out.IssuedAt.Equal(op.clock.Now()) {
				t.Errorf("got %+v, want %+v, made at %v", out, want, op.clock.Now())
			}
		})
	}
}

// TestLogoutTokenAttacks checks tokens that are wrong in one way. Those whose
// wrongness shows before the signature must not make a request for keys.
func TestLogoutTokenAttacks(t *testing.T) {
	in := func(d time.Duration) int64 { return newClock().now.Add(d).Unix() }
	tests := []struct {
		name           string
		header, claims func(map[string]any)
		token          func(op *hostileOP, signed string) string
		reason         string
		keys           int
	}{
		{name: "alg_none", token: func(_ *hostileOP, s string) string {
			return resign("none", nil, map[string]any{"typ": "logout+jwt"})(s).(string)
		}, reason: "logout_token_alg"},
		{name: "alg_not_negotiated", token: func(_ *hostileOP, s string) string {
			return resign("RS384", rsaKey(), map[string]any{"typ": "logout+jwt"})(s).(string)
		}, reason: "logout_token_alg"},
		{name: "alg_hs256_client_secret", token: func(_ *hostileOP, s string) string {
			return resign("HS256", []byte(opSecret), map[string]any{"typ": "logout+jwt"})(s).(string)
		}, reason: "logout_token_alg"},
		{name: "key_of_another", token: func(_ *hostileOP, s string) string {
			return resign("RS256", otherRSA(), map[string]any{"typ": "logout+jwt"})(s).(string)
		}, reason: "logout_token_sig", keys: 1},
		{name: "typ_jwt", header: set("typ", "JWT"), reason: "logout_token_typ"},
		{name: "typ_access_token", header: set("typ", "at+jwt"), reason: "logout_token_typ"},
		{name: "typ_missing", header: drop("typ"), reason: "logout_token_typ"},
		{name: "id_token", token: func(op *hostileOP, _ string) string {
			return op.sign(op.idHeader(), encode(op.idClaims("n", "at-1")))
		}, reason: "logout_token_typ"},
		{name: "events_missing", claims: drop("events"), reason: "logout_token_events"},
		{name: "events_empty", claims: set("events", map[string]any{}), reason: "logout_token_events"},
		{name: "events_list", claims: set("events", []string{logoutEvent}), reason: "logout_token_events"},
		{name: "events_value_null", claims: set("events", map[string]any{logoutEvent: nil}), reason: "logout_token_events"},
		{name: "events_in_other_case", claims: func(c map[string]any) { c["Events"] = c["events"]; delete(c, "events") }, reason: "logout_token_events"},
		{name: "nonce", claims: set("nonce", "n"), reason: "logout_token_nonce"},
		{name: "nonce_null", claims: set("nonce", nil), reason: "logout_token_nonce"},
		{name: "audience_other", claims: set("aud", "other"), reason: "logout_token_aud"},
		{name: "audience_missing", claims: drop("aud"), reason: "logout_token_aud"},
		{name: "issuer_other", claims: set("iss", "https://other.example"), reason: "logout_token_iss", keys: 1},
		{name: "issuer_missing", claims: drop("iss"), reason: "logout_token_iss", keys: 1},
		{name: "iat_missing", claims: drop("iat"), reason: "logout_token_iat"},
		{name: "iat_old", claims: set("iat", in(-16*time.Minute)), reason: "logout_token_iat"},
		{name: "iat_future", claims: set("iat", in(2*time.Minute)), reason: "logout_token_iat"},
		{name: "exp_missing", claims: drop("exp"), reason: "logout_token_exp"},
		{name: "exp_past", claims: set("exp", in(-2*time.Minute)), reason: "logout_token_exp"},
		{name: "jti_missing", claims: drop("jti"), reason: "logout_token_jti"},
		{name: "jti_empty", claims: set("jti", ""), reason: "logout_token_jti"},
		{name: "jti_number", claims: set("jti", 1), reason: "logout_token_jti"},
		{name: "neither_sub_nor_sid", claims: func(c map[string]any) { delete(c, "sub"); delete(c, "sid") }, reason: "logout_token_sub"},
		{name: "sub_empty", claims: set("sub", ""), reason: "logout_token_sub"},
		{name: "sub_number", claims: set("sub", 1), reason: "logout_token_sub"},
		{name: "sid_number", claims: set("sid", 1), reason: "logout_token_sid"},
		{name: "duplicate_member", token: func(op *hostileOP, _ string) string {
			return op.sign(map[string]any{"alg": "RS256", "typ": "logout+jwt", "kid": "k1"}, []byte(`{"sub":"a","sub":"b"}`))
		}, reason: "logout_token_malformed"},
		{name: "junk", token: func(*hostileOP, string) string { return "junk" }, reason: "logout_token_malformed"},
		{name: "empty", token: func(*hostileOP, string) string { return "" }, reason: "logout_token_malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			token := op.logoutToken(tt.header, tt.claims)
			if tt.token != nil {
				token = tt.token(op, token)
			}
			out, err := provider.VerifyLogout(t.Context(), op.provider(), token)
			wantReason(t, err, tt.reason)
			if out != (provider.Logout{}) {
				t.Errorf("got %+v beside the error", out)
			}
			op.wantKeyRequests(t, tt.keys)
		})
	}
}

// The token of one server must not end sessions of another.
func TestLogoutTokenOfAnotherIssuer(t *testing.T) {
	a, b := newOP(), newOP()
	b.issuer, b.key, b.kid = "https://b.example", otherRSA(), "k1"
	_, err := provider.VerifyLogout(t.Context(), a.provider(), b.logoutToken(nil, nil))
	wantReason(t, err, "logout_token_sig")
}

func TestLogoutURL(t *testing.T) {
	op := newOP()
	p := op.provider()
	_, tok, err := op.login(t, p)
	if err != nil {
		t.Fatal(err)
	}
	s, err := provider.LogoutURL(t.Context(), p, tok, "https://app.example/bye", "st")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"ui": {"1"}, "client_id": {opClient}, "id_token_hint": {tok.IDToken},
		"post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"st"},
	}
	if got := u.Query(); got.Encode() != want.Encode() || !strings.HasPrefix(s, opIssuer+"/logout?") {
		t.Errorf("got %s, want %s/logout?%s", s, opIssuer, want.Encode())
	}

	s, err = provider.LogoutURL(t.Context(), p, provider.Token{}, "", "")
	if err != nil || s != opIssuer+"/logout?client_id="+opClient+"&ui=1" {
		t.Errorf("without a token and a way back: got %s, %v", s, err)
	}
}

// A hint that would make the URL too long for servers is left out.
func TestLogoutURLWithLongHint(t *testing.T) {
	p := newOP().provider()
	for n, want := range map[int]bool{6000: true, 6001: false} {
		s, err := provider.LogoutURL(t.Context(), p, provider.Token{IDToken: strings.Repeat("x", n)}, "", "")
		if err != nil || strings.Contains(s, "id_token_hint=") != want {
			t.Errorf("%d bytes: got a URL of %d bytes, %v; want a hint: %v", n, len(s), err, want)
		}
	}
}

func TestLogoutURLUnsupported(t *testing.T) {
	op := newOP()
	op.metadata = drop("end_session_endpoint")
	_, err := provider.LogoutURL(t.Context(), op.provider(), provider.Token{}, "", "")
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want one that wraps errors.ErrUnsupported", err)
	}
}

// Logout names the account as logins do, also where there are several issuers.
func TestLogoutSubject(t *testing.T) {
	accept := func(d *provider.OIDC) { d.AcceptIssuer = acceptAll }
	for name, change := range map[string]func(d *provider.OIDC){
		"own_issuer":    func(*provider.OIDC) {},
		"many_issuers":  accept,
		"another_claim": func(d *provider.OIDC) { d.Fields.Subject = "id_token:oid" },
	} {
		t.Run(name, func(t *testing.T) {
			op := newOP()
			op.claims = set("oid", "o-1")
			p := op.provider(change)
			id, _, err := op.login(t, p)
			if err != nil {
				t.Fatal(err)
			}
			out, err := provider.VerifyLogout(t.Context(), p, op.logoutToken(nil, set("oid", "o-1")))
			if err != nil || out.Subject != id.Subject || out.Issuer != id.Issuer {
				t.Errorf("got %q of %q (%v), want %q of %q", out.Subject, out.Issuer, err, id.Subject, id.Issuer)
			}
		})
	}
}

// A logout token that lacks the claim that accounts are named by ends a session
// if it names one, and nobody's otherwise.
func TestLogoutWithoutTheSubjectClaim(t *testing.T) {
	op := newOP()
	p := op.provider(func(d *provider.OIDC) { d.Fields.Subject = "id_token:oid" })
	out, err := provider.VerifyLogout(t.Context(), p, op.logoutToken(nil, nil))
	if err != nil || out.Subject != "" || out.SID != "session-1" {
		t.Errorf("got %+v, %v, want the session only", out, err)
	}
	_, err = provider.VerifyLogout(t.Context(), p, op.logoutToken(nil, drop("sid")))
	wantReason(t, err, "logout_token_sub")
}
