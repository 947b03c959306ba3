package providertest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// skew is how far the clocks of an app and of the service may be apart.
const skew = 5 * time.Minute

// temporary is a request token of OAuth 1.0a: a login that has begun.
type temporary struct {
	secret   string
	callback string
	verifier string // once the person has said yes
	person   map[string]any
	expires  time.Time
}

// oauth1 reads and judges what every signed request carries. SecretOf finds the
// secret of the token that it names.
func (s *Server) oauth1(r *request, secretOf func(token string) (string, bool)) (map[string]string, *Answer) {
	no := func(status int, why string) *Answer {
		a := r.answer(status, why+"\n")
		a.Header.Set("Content-Type", "text/plain; charset=utf-8")
		if status == http.StatusUnauthorized {
			a.Header.Set("WWW-Authenticate", `OAuth realm="test service"`)
		}
		return a
	}
	headers := r.Header.Values("Authorization")
	if r.bad != nil || len(headers) != 1 {
		return nil, no(http.StatusBadRequest, "want one Authorization header")
	}
	p, err := parseOAuth(headers[0])
	if err != nil {
		return nil, no(http.StatusBadRequest, err.Error())
	}
	for name := range p {
		if r.query.Has(name) || r.form.Has(name) {
			return nil, no(http.StatusBadRequest, "a parameter is given twice")
		}
	}
	if v, ok := p["oauth_version"]; ok && v != "1.0" {
		return nil, no(http.StatusBadRequest, "want oauth_version 1.0")
	}
	at, err := strconv.ParseInt(p["oauth_timestamp"], 10, 64)
	if err != nil || at <= 0 || p["oauth_nonce"] == "" || p["oauth_signature"] == "" {
		return nil, no(http.StatusBadRequest, "oauth_timestamp, oauth_nonce or oauth_signature is missing")
	}
	if p["oauth_consumer_key"] != ClientID {
		return nil, no(http.StatusUnauthorized, "unknown oauth_consumer_key")
	}
	tokenSecret, ok := secretOf(p["oauth_token"])
	if !ok {
		return nil, no(http.StatusUnauthorized, "unknown or used oauth_token")
	}
	if err := r.signed(p, tokenSecret); err != nil {
		return nil, no(http.StatusUnauthorized, err.Error())
	}
	if age := s.now().Sub(time.Unix(at, 0)); age > skew || age < -skew {
		return nil, no(http.StatusUnauthorized, "oauth_timestamp is too far away")
	}
	// A nonce may come again with another time or token (RFC 5849 section 3.3).
	// It is remembered once the signature is good, lest anyone fill the table.
	if !s.fresh(p["oauth_timestamp"] + " " + p["oauth_token"] + " " + p["oauth_nonce"]) {
		return nil, no(http.StatusUnauthorized, "oauth_nonce has been used")
	}
	return p, nil
}

// fresh reports whether the nonce is new, and remembers it.
func (s *Server) fresh(nonce string) bool {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.nonces[nonce]; used {
		return false
	}
	if len(s.nonces) >= 100000 {
		for n, at := range s.nonces {
			if now.Sub(at) > 2*skew {
				delete(s.nonces, n)
			}
		}
	}
	s.nonces[nonce] = now
	return true
}

// requestToken begins a login (RFC 5849 section 2.1).
func (s *Server) requestToken(r *request) *Answer {
	if r.Method != http.MethodPost {
		return r.notAllowed("POST")
	}
	p, refusal := s.oauth1(r, func(token string) (string, bool) { return "", token == "" })
	if refusal != nil {
		return refusal
	}
	if !returnable(p["oauth_callback"]) {
		return r.answer(http.StatusBadRequest, "oauth_callback is not an https URL, nor on this machine\n")
	}
	token, t := secret("temporary"), &temporary{
		secret:   secret("temporary-secret"),
		callback: p["oauth_callback"],
		expires:  s.now().Add(pageLife),
	}
	s.mu.Lock()
	s.temps[token] = t
	s.note(t.secret)
	s.mu.Unlock()
	return r.answer(http.StatusOK, url.Values{
		"oauth_token":              {token},
		"oauth_token_secret":       {t.secret},
		"oauth_callback_confirmed": {"true"},
	})
}

// authorize1 asks the person (RFC 5849 section 2.2).
func (s *Server) authorize1(r *request) *Answer {
	if r.Method != http.MethodGet {
		return r.notAllowed("GET")
	}
	token := r.query.Get("oauth_token")
	s.mu.Lock()
	t := s.temps[token]
	ok := r.bad == nil && twice(r.query) == "" && t != nil && t.verifier == "" && !s.now().After(t.expires)
	s.mu.Unlock()
	if !ok {
		return r.stop("This login is unknown, used or too old. Go back to the app and log in again.")
	}
	return s.ask(r, question{
		app: ClientID, to: t.callback, scopes: []string{"openid", "profile", "email"},
		yes: func(r *request, person map[string]any) *Answer {
			verifier := secret("verifier")
			s.mu.Lock()
			t.person, t.verifier = person, verifier
			s.note(verifier)
			s.mu.Unlock()
			return r.about(person, r.back(t.callback, false, url.Values{
				"oauth_token": {token}, "oauth_verifier": {verifier},
			}))
		},
		no: func(r *request, code string) *Answer {
			s.mu.Lock()
			delete(s.temps, token)
			s.mu.Unlock()
			return r.back(t.callback, false, url.Values{"denied": {token}})
		},
	})
}

// accessToken ends a login (RFC 5849 section 2.3).
func (s *Server) accessToken(r *request) *Answer {
	if r.Method != http.MethodPost {
		return r.notAllowed("POST")
	}
	p, refusal := s.oauth1(r, func(token string) (string, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.temps[token]
		if t == nil || s.now().After(t.expires) {
			return "", false
		}
		return t.secret, true
	})
	if refusal != nil {
		return refusal
	}
	s.mu.Lock()
	t := s.temps[p["oauth_token"]]
	// A token is tried once, with the right verifier or a wrong one.
	delete(s.temps, p["oauth_token"])
	s.mu.Unlock()
	if t == nil || t.verifier == "" || subtle.ConstantTimeCompare([]byte(t.verifier), []byte(p["oauth_verifier"])) != 1 {
		return r.answer(http.StatusUnauthorized, "oauth_verifier is wrong\n")
	}
	token, g := secret("access"), &grant{client: ClientID, person: t.person, plain: true, tokenSecret: secret("access-secret")}
	s.mu.Lock()
	s.access[token] = &access{grant: g}
	s.note(token)
	s.note(g.tokenSecret)
	s.mu.Unlock()
	return r.about(t.person, r.answer(http.StatusOK, url.Values{
		"oauth_token":        {token},
		"oauth_token_secret": {g.tokenSecret},
	}))
}

// user1 tells an app with a signed request about the person.
func (s *Server) user1(r *request) *Answer {
	p, refusal := s.oauth1(r, func(token string) (string, bool) {
		a := s.holder(token)
		if a == nil || a.tokenSecret == "" {
			return "", false
		}
		return a.tokenSecret, true
	})
	if refusal != nil {
		return refusal
	}
	a := s.holder(p["oauth_token"])
	if a == nil {
		return r.answer(http.StatusUnauthorized, "unknown oauth_token\n")
	}
	return r.about(a.person, r.answer(http.StatusOK, plain(a.person)))
}
