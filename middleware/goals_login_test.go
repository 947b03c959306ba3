package middleware_test

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gatepass/gatepass/middleware"
	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
	"github.com/gatepass/gatepass/store/memstore"
	"golang.org/x/oauth2"
)

const opIssuer = "https://op.example.com"

// A quietOP is an OpenID provider without a network. It gives out one ID token for
// each code.
type quietOP struct {
	key    *rsa.PrivateKey
	tokens map[string]string
}

func newQuietOP(b *testing.B) *quietOP {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	return &quietOP{key: key, tokens: map[string]string{}}
}

// code returns one for which there is an ID token of that person with that nonce.
func (o *quietOP) code(b *testing.B, subject, nonce string) string {
	now := time.Now().Unix()
	claims, err := json.Marshal(map[string]any{
		"iss": opIssuer, "sub": subject, "aud": "client", "nonce": nonce, "iat": now, "exp": now + 3600,
		"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": true,
	})
	if err != nil {
		b.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, o.key, crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	code := rand.Text()
	o.tokens[code] = signed + "." + base64.RawURLEncoding.EncodeToString(sig)
	return code
}

func (o *quietOP) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	var answer any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{
			"issuer": opIssuer, "authorization_endpoint": opIssuer + "/authorize", "token_endpoint": opIssuer + "/token", "jwks_uri": opIssuer + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		}
	case "/keys":
		answer = map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(o.key.N.Bytes()),
		}}}
	case "/token":
		if err := r.ParseForm(); err != nil {
			return nil, err
		}
		answer = map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 3600, "id_token": o.tokens[r.PostForm.Get("code")]}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		return nil, err
	}
	res := w.Result()
	res.Request = r
	return res, nil
}

func (o *quietOP) auth(b *testing.B, s *memstore.Store) *middleware.Auth {
	b.Helper()
	p := provider.OIDC{Info: provider.Info{ID: "op", Name: "OP"}, Issuer: opIssuer, Scopes: []string{"profile", "email"}}.
		New("client", "secret", provider.WithHTTPClient(&http.Client{Transport: o}))
	return newAuth(b, s, session.Config{}, p)
}

// byHand is what an app writes that does the same with x/oauth2 and go-oidc, and
// a cookie that is sealed.
type byHand struct {
	b        *testing.B
	oauth2   oauth2.Config
	verifier *oidc.IDTokenVerifier
	client   *http.Client
	seal     cipher.AEAD
	store    *memstore.Store
}

func newByHand(b *testing.B, o *quietOP) *byHand {
	b.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	return &byHand{
		b: b, client: &http.Client{Transport: o}, seal: seal, store: memstore.New(),
		oauth2: oauth2.Config{
			ClientID: "client", ClientSecret: "secret", RedirectURL: baseURL + "/auth/callback/op", Scopes: []string{"openid", "profile", "email"},
			Endpoint: oauth2.Endpoint{AuthURL: opIssuer + "/authorize", TokenURL: opIssuer + "/token", AuthStyle: oauth2.AuthStyleInParams},
		},
		verifier: oidc.NewVerifier(opIssuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{&o.key.PublicKey}}, &oidc.Config{ClientID: "client"}),
	}
}

func (h *byHand) must(err error) {
	if err != nil {
		h.b.Fatal(err)
	}
}

func (h *byHand) sealed(name string, plain []byte) []byte {
	nonce := make([]byte, 12, 12+len(plain)+16)
	_, _ = rand.Read(nonce)
	return h.seal.Seal(nonce, nonce, plain, []byte(name))
}

const byHandCookie = "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"

// begin goes to the service, with a state, a nonce and a verifier.
func (h *byHand) begin(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		h.must(errors.New("another site"))
	}
	to := r.FormValue("return_to")
	if u, err := url.Parse(to); err != nil || u.Host != "" || !strings.HasPrefix(to, "/") || strings.Contains(to, "//") {
		to = "/"
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	value := base64.RawURLEncoding.EncodeToString(h.sealed("flow", []byte(state+" "+nonce+" "+verifier+" "+to+" "+strconv.FormatInt(time.Now().Unix(), 10))))
	w.Header().Add("Set-Cookie", "__Host-flow="+value+byHandCookie)
	http.Redirect(w, r, h.oauth2.AuthCodeURL(state, oauth2.SetAuthURLParam("nonce", nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// callback does what a callback has to: it opens the cookie and compares the
// state, once and in time; exchanges the code, verifies the ID token, finds the
// account, keeps what the service said and the sealed token, of which a logout
// there needs the ID token, and begins a session. It knows one service, and so
// leaves out what others make necessary: to keep the refresh token of an earlier
// login, to call for a profile, and to judge what go-oidc lets through, such as
// names that stand twice, further audiences and the time of issue.
func (h *byHand) callback(w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie("__Host-flow")
	h.must(err)
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	h.must(err)
	plain, err := h.seal.Open(nil, raw[:12], raw[12:], []byte("flow"))
	h.must(err)
	flow := strings.Split(string(plain), " ")
	q := r.URL.Query()
	if q.Get("state") != flow[0] {
		h.must(errors.New("state"))
	}
	began, err := strconv.ParseInt(flow[4], 10, 64)
	h.must(err)
	if time.Since(time.Unix(began, 0)) > 10*time.Minute {
		h.must(errors.New("too late"))
	}
	h.must(h.store.Mark(r.Context(), flow[0], time.Now().Add(time.Hour)))
	w.Header().Add("Set-Cookie", "__Host-flow=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), oauth2.HTTPClient, h.client), 15*time.Second)
	defer cancel()
	tok, err := h.oauth2.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(flow[2]))
	h.must(err)
	rawToken := tok.Extra("id_token").(string)
	idToken, err := h.verifier.Verify(ctx, rawToken)
	h.must(err)
	var profile json.RawMessage
	h.must(idToken.Claims(&profile))
	var claims struct {
		Name, Email, Picture string
		EmailVerified        bool `json:"email_verified"`
	}
	h.must(idToken.Claims(&claims))
	if idToken.Nonce != flow[1] {
		h.must(errors.New("nonce"))
	}
	key := store.Key{Provider: "op", Subject: idToken.Subject}
	plainToken, err := json.Marshal(struct {
		*oauth2.Token
		IDToken string
	}{tok, rawToken})
	h.must(err)
	var id [32]byte
	_, _ = rand.Read(id[:])
	sum := sha256.Sum256(id[:])
	h.must(h.store.Transact(ctx, func(tx store.Store) error {
		a, err := tx.Account(ctx, key)
		h.must(err)
		u, err := tx.User(ctx, a.UserID)
		h.must(err)
		if u.Disabled || a.Issuer != idToken.Issuer || !claims.EmailVerified {
			return errors.New("not admitted")
		}
		a.Name, a.Email, a.AvatarURL, a.Profile = claims.Name, claims.Email, claims.Picture, profile
		h.must(tx.UpdateAccount(ctx, a))
		h.must(tx.PutToken(ctx, key, &store.Token{Sealed: h.sealed("token", plainToken), Expiry: tok.Expiry}))
		now := time.Now()
		return tx.CreateSession(ctx, &store.Session{
			ID: base64.RawURLEncoding.EncodeToString(sum[:]), UserID: a.UserID, Key: key, AuthTime: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour),
		})
	}))
	w.Header().Add("Set-Cookie", "__Host-session="+base64.RawURLEncoding.EncodeToString(id[:])+byHandCookie)
	http.Redirect(w, r, flow[3], http.StatusSeeOther)
}

func loginRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, baseURL+"/auth/login/op?return_to=/there", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// bare is the least that a URL and a sealed cookie can cost. It begins whatever
// begins it, always returns to the same page, and knows neither when it began nor of
// a login in another tab.
func (h *byHand) bare(w http.ResponseWriter, _ *http.Request) {
	h.write(w, "__Host-flow=", "/there", 0)
}

// ideal is the least that a beginning can cost that is safe: it is begun by a page
// of the app, returns to a page of the app, ends in time, stands beside others in
// the same browser under a name that gives nothing of its state away, has the
// headers of every answer about a login, and is in no cache. It knows one service
// and nothing else that can go wrong.
func (h *byHand) ideal(w http.ResponseWriter, r *http.Request) {
	if site := r.Header["Sec-Fetch-Site"]; len(site) != 1 || site[0] != "same-origin" {
		h.must(errors.New("another site"))
	}
	_, to, ok := strings.Cut(r.URL.RawQuery, "return_to=")
	if to, _, _ = strings.Cut(to, "&"); !ok || len(to) > 1024 || to[0] != '/' || strings.Contains(to, "//") || strings.ContainsAny(to, "%.\\") {
		to = "/"
	}
	header := w.Header()
	header["Cache-Control"], header["Referrer-Policy"], header["Vary"] = idealNoStore, idealNoReferrer, idealVary
	h.write(w, "", to, time.Now().Unix())
}

var idealNoStore, idealNoReferrer = []string{"no-store"}, []string{"no-referrer"}

// write answers with a URL and a cookie. Without a name, that of the cookie is made
// from a hash of the state.
func (h *byHand) write(w http.ResponseWriter, name, returnTo string, began int64) {
	var random [96]byte
	_, _ = rand.Read(random[:])
	var state, nonce, verifier, challenge [43]byte
	base64.RawURLEncoding.Encode(state[:], random[:32])
	base64.RawURLEncoding.Encode(nonce[:], random[32:64])
	base64.RawURLEncoding.Encode(verifier[:], random[64:])
	sum := sha256.Sum256(verifier[:])
	base64.RawURLEncoding.Encode(challenge[:], sum[:])
	var plain [128]byte
	text := append(plain[:0], random[:]...)
	if began != 0 {
		text = binary.BigEndian.AppendUint64(text, uint64(began))
	}
	sealed := h.sealed("flow", append(text, returnTo...))
	cookie := append(make([]byte, 0, 512), name...)
	if name == "" {
		sum = sha256.Sum256(state[:])
		cookie = append(base64.RawURLEncoding.AppendEncode(append(cookie, "__Host-flow-"...), sum[:6]), '=')
	}
	cookie = append(base64.RawURLEncoding.AppendEncode(cookie, sealed), byHandCookie...)
	to := append(make([]byte, 0, 512), opIssuer+"/authorize?response_type=code&client_id=client&redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback%2Fop&scope=openid%20profile%20email&state="...)
	to = append(append(to, state[:]...), "&code_challenge_method=S256&code_challenge="...)
	to = append(append(to, challenge[:]...), "&nonce="...)
	to = append(to, nonce[:]...)
	w.Header()["Set-Cookie"] = []string{string(cookie)}
	w.Header()["Location"] = []string{string(to)}
	w.WriteHeader(http.StatusSeeOther)
}

// benchBegin is a click on "Log in".
func benchBegin(b *testing.B) {
	o := newQuietOP(b)
	auth, h := o.auth(b, memstore.New()), newByHand(b, o)
	for name, other := range map[string]http.HandlerFunc{"by hand": h.begin, "bare": h.bare, "ideal": h.ideal} {
		b.Run("beside="+name, func(b *testing.B) {
			beside(b, atOnce(1, serving(unread(other), loginRequest())), atOnce(1, serving(unread(auth.Handler()), loginRequest())))
		})
	}
}

// unread makes a request that is sent again one whose form was not read yet.
func unread(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Form, r.PostForm = nil, nil
		h.ServeHTTP(w, r)
	})
}

// benchCallback is the way back, of someone who has been here before.
func benchCallback(b *testing.B) {
	o, s := newQuietOP(b), memstore.New()
	auth, h := o.auth(b, s), newByHand(b, o)
	beside(b, o.callbacks(b, h.store, http.HandlerFunc(h.begin), http.HandlerFunc(h.callback)), o.callbacks(b, s, auth.Handler(), auth.Handler()))
}

// callbacks is one of each of n people, who have an account and no session.
func (o *quietOP) callbacks(b *testing.B, s *memstore.Store, begin, end http.Handler) course {
	var ready []*http.Request
	return course{
		prepare: func(n int) {
			b.StopTimer()
			defer b.StartTimer()
			ready = ready[:0]
			for i := range n {
				known(b, s, fmt.Sprint(i))
				w := httptest.NewRecorder()
				begin.ServeHTTP(w, loginRequest())
				to, err := url.Parse(w.Header().Get("Location"))
				if err != nil || to.Host == "" {
					b.Fatalf("got %d and %q, %v", w.Code, to, err)
				}
				q := to.Query()
				r := httptest.NewRequest(http.MethodGet, baseURL+"/auth/callback/op?"+url.Values{
					"state": {q.Get("state")}, "code": {o.code(b, fmt.Sprint(i), q.Get("nonce"))},
				}.Encode(), nil)
				for _, c := range w.Result().Cookies() {
					r.AddCookie(c)
				}
				ready = append(ready, r)
			}
		},
		do: func(n int) {
			for _, r := range ready[:n] {
				w := httptest.NewRecorder()
				end.ServeHTTP(w, r)
				if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/there" {
					b.Fatalf("got %d, %s", w.Code, w.Body)
				}
			}
			clear(o.tokens)
		},
	}
}

func known(b *testing.B, s *memstore.Store, subject string) {
	ctx, k := context.Background(), store.Key{Provider: "op", Subject: subject}
	a, err := s.Account(ctx, k)
	if errors.Is(err, store.ErrNotFound) {
		err = s.CreateUser(ctx, &store.User{Name: "Ada Lovelace"}, &store.Account{Key: k, Issuer: opIssuer})
	} else if err == nil {
		err = s.DeleteUserSessions(ctx, a.UserID, "")
	}
	if err != nil {
		b.Fatal(err)
	}
}
