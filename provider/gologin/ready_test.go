package gologin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
	"github.com/gatepass/gatepass/provider/catalog"
	"github.com/gatepass/gatepass/provider/gologin"
	"github.com/gatepass/gatepass/provider/providertest"
)

type maker func(id, secret string, opts ...provider.Option) provider.Provider

// What each service answers, by host and path, and who that is.
var services = map[string]struct {
	make    maker
	catalog maker
	answers map[string]string
	want    provider.Identity
	scopes  string
}{
	"facebook": {
		make:    gologin.Facebook,
		catalog: catalog.Facebook,
		answers: map[string]string{
			"graph.facebook.com/v2.9/me": `{"id":"10161234509876543","name":"Ilse Qvist","email":"ilse@example.test",
				"picture":{"data":{"url":"https://pictures.example.test/p5.jpg"}}}`,
		},
		want: provider.Identity{
			Issuer: "https://www.facebook.com", Subject: "10161234509876543",
			Name: "Ilse Qvist", Email: "ilse@example.test", AvatarURL: "https://pictures.example.test/p5.jpg",
		},
		scopes: "public_profile email",
	},
	"bitbucket": {
		make:    gologin.Bitbucket,
		catalog: catalog.Bitbucket,
		answers: map[string]string{
			"bitbucket.org/api/2.0/user": `{"username":"ilseq","display_name":"Ilse Qvist"}`,
			"api.bitbucket.org/2.0/user": `{"username":"ilseq","display_name":"Ilse Qvist","account_status":"active",
				"uuid":"{0e11aa22-bb33-4c44-8d55-66ee77ff8899}",
				"links":{"avatar":{"href":"https://pictures.example.test/13.png"},"html":{"href":"https://bitbucket.org/%7B0e11%7D/"}}}`,
			"api.bitbucket.org/2.0/user/emails": `{"values":[
				{"email":"old@example.test","is_primary":false,"is_confirmed":true},
				{"email":"ilse@example.test","is_primary":true,"is_confirmed":true}]}`,
		},
		want: provider.Identity{
			Issuer: "https://bitbucket.org", Subject: "{0e11aa22-bb33-4c44-8d55-66ee77ff8899}",
			Name: "Ilse Qvist", Username: "ilseq", Email: "ilse@example.test", EmailVerified: true,
			AvatarURL: "https://pictures.example.test/13.png", ProfileURL: "https://bitbucket.org/%7B0e11%7D/",
		},
		scopes: "account email",
	},
	"twitter": {
		make:    gologin.Twitter,
		catalog: catalog.Twitter,
		answers: map[string]string{
			"api.twitter.com/1.1/account/verify_credentials.json": `{"id":1500000000000000123,"id_str":"1500000000000000123",
				"name":"Ilse Qvist","screen_name":"ilseq","profile_image_url_https":"https://pictures.example.test/6.jpg"}`,
		},
		want: provider.Identity{
			Issuer: "https://x.com", Subject: "1500000000000000123",
			Name: "Ilse Qvist", Username: "ilseq", AvatarURL: "https://pictures.example.test/6.jpg",
			ProfileURL: "https://x.com/ilseq",
		},
	},
	"tumblr": {
		make:    gologin.Tumblr,
		catalog: catalog.Tumblr,
		answers: map[string]string{
			"api.tumblr.com/v2/user/info": `{"meta":{"status":200,"msg":"OK"},"response":{"user":{"name":"ilseq","blogs":[
				{"name":"other","uuid":"t:other","primary":false,"url":"https://other.tumblr.com/"},
				{"name":"ilseq","uuid":"t:Ab3dEf","primary":true,"url":"https://ilseq.tumblr.com/"}]}}}`,
		},
		want: provider.Identity{
			Issuer: "https://www.tumblr.com", Subject: "t:Ab3dEf", Name: "ilseq", Username: "ilseq",
			AvatarURL: "https://api.tumblr.com/v2/blog/ilseq.tumblr.com/avatar/128", ProfileURL: "https://ilseq.tumblr.com/",
		},
	},
}

// standIn makes srv answer as the service does. Change may change an answer.
func standIn(srv *providertest.Server, answers map[string]string, change func(at string, a *providertest.Answer)) {
	srv.Alter = func(a *providertest.Answer) {
		at := a.Request.Host + a.Request.URL.Path
		if body, ok := answers[at]; ok && a.Status == http.StatusOK {
			a.Body = body
			a.Header = http.Header{"Content-Type": {"application/json"}}
		}
		if change != nil {
			change(at, a)
		}
	}
}

func through(srv *providertest.Server) provider.Option {
	return provider.WithHTTPClient(&http.Client{Transport: srv.Transport()})
}

func TestReadyMade(t *testing.T) {
	for name, s := range services {
		t.Run(name, func(t *testing.T) {
			srv := providertest.NewServer(t)
			standIn(srv, s.answers, nil)
			p := s.make(providertest.ClientID, providertest.ClientSecret, through(srv))
			if err := provider.Check(p); err != nil {
				t.Fatal(err)
			}
			id, tok, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(id.Raw) == 0 {
				t.Error("the profile is not kept")
			}
			want := s.want
			want.Provider, want.Raw, id.Raw = name, nil, nil
			if !same(id, want) {
				t.Errorf("got  %+v\nwant %+v", id, want)
			}
			if got := strings.Join(tok.Scopes, " "); got != s.scopes {
				t.Errorf("got scopes %q, want %q", got, s.scopes)
			}
		})
	}
}

func same(a, b provider.Identity) bool {
	return a.Provider == b.Provider && a.Issuer == b.Issuer && a.Subject == b.Subject && a.Email == b.Email &&
		a.EmailVerified == b.EmailVerified && a.Name == b.Name && a.Username == b.Username &&
		a.AvatarURL == b.AvatarURL && a.ProfileURL == b.ProfileURL
}

// An app may move from one to the other: the accounts are the same.
func TestReadyMadeAsInTheCatalog(t *testing.T) {
	for name, s := range services {
		srv := providertest.NewServer(t)
		a := s.make(providertest.ClientID, providertest.ClientSecret, through(srv)).Info()
		b := s.catalog(providertest.ClientID, providertest.ClientSecret, through(srv)).Info()
		if a.ID != b.ID || a.Name != b.Name || a.API != b.API {
			t.Errorf("%s: got %+v, in package catalog %+v", name, a, b)
		}
	}
}

func TestReadyMadeWithoutKeys(t *testing.T) {
	for name, s := range services {
		for _, keys := range [][2]string{{"", "secret"}, {"id", ""}} {
			if err := provider.Check(s.make(keys[0], keys[1])); err == nil {
				t.Errorf("%s: accepted %q", name, keys)
			}
		}
	}
}

// Facebook refuses a token without proof, if the app is set so.
func TestFacebookProvesTheApp(t *testing.T) {
	srv := providertest.NewServer(t)
	var query url.Values
	var token string
	s := services["facebook"]
	standIn(srv, s.answers, func(at string, a *providertest.Answer) {
		if at == "graph.facebook.com/v2.9/me" {
			query = a.Request.URL.Query()
			token = strings.TrimPrefix(a.Request.Header.Get("Authorization"), "Bearer ")
		}
	})
	p := s.make(providertest.ClientID, providertest.ClientSecret, through(srv))
	if _, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t)); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(providertest.ClientSecret))
	mac.Write([]byte(token))
	if want := hex.EncodeToString(mac.Sum(nil)); token == "" || query.Get("appsecret_proof") != want {
		t.Errorf("got appsecret_proof %q, want %q", query.Get("appsecret_proof"), want)
	}
	if query.Has("access_token") {
		t.Error("the token is in the URL")
	}
}

// What makes a person's profile unusable is an error, never somebody else or
// somebody by a name that can change hands.
func TestReadyMadeRefuses(t *testing.T) {
	for _, test := range []struct {
		name, service, at, body string
		status                  int
		is                      error
	}{
		{"facebook without ID", "facebook", "graph.facebook.com/v2.9/me", `{"name":"Ilse"}`, 200, nil},
		{"bitbucket without uuid", "bitbucket", "api.bitbucket.org/2.0/user", `{"username":"ilseq","account_status":"active"}`, 200, nil},
		{"bitbucket inactive", "bitbucket", "api.bitbucket.org/2.0/user", `{"username":"ilseq","account_status":"inactive","uuid":"{1}"}`, 200, provider.ErrDenied},
		{"bitbucket of another person", "bitbucket", "api.bitbucket.org/2.0/user", `{"username":"other","account_status":"active","uuid":"{2}"}`, 200, nil},
		{"bitbucket second profile fails", "bitbucket", "api.bitbucket.org/2.0/user", `{}`, 500, provider.ErrUnavailable},
		{"bitbucket addresses fail", "bitbucket", "api.bitbucket.org/2.0/user/emails", `{}`, 500, provider.ErrUnavailable},
		{"twitter without ID", "twitter", "api.twitter.com/1.1/account/verify_credentials.json", `{"screen_name":"ilseq"}`, 200, nil},
		{"tumblr without blogs", "tumblr", "api.tumblr.com/v2/user/info", `{"response":{"user":{"name":"ilseq"}}}`, 200, nil},
		{"tumblr without uuid", "tumblr", "api.tumblr.com/v2/user/info", `{"response":{"user":{"name":"ilseq","blogs":[{"name":"ilseq","primary":true}]}}}`, 200, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := providertest.NewServer(t)
			s := services[test.service]
			standIn(srv, s.answers, func(at string, a *providertest.Answer) {
				if at == test.at {
					a.Body, a.Status = test.body, test.status
				}
			})
			p := s.make(providertest.ClientID, providertest.ClientSecret, through(srv))
			id, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
			if err == nil {
				t.Fatalf("got %+v, want an error", id)
			}
			var e *provider.Error
			if !errors.As(err, &e) || e.Provider != test.service || e.Op != "profile" {
				t.Errorf("got %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("got %v, want %v", err, test.is)
			}
			if test.is == provider.ErrDenied && e.Reason != "inactive" {
				t.Errorf("got reason %q, want inactive", e.Reason)
			}
		})
	}
}

// An address that is not confirmed, or a list that may not be read, means that
// there is none.
func TestBitbucketAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		body   string
		status int
	}{
		"unconfirmed": {`{"values":[{"email":"ilse@example.test","is_primary":true,"is_confirmed":false}]}`, 200},
		"forbidden":   {`{}`, 403},
	} {
		srv := providertest.NewServer(t)
		s := services["bitbucket"]
		standIn(srv, s.answers, func(at string, a *providertest.Answer) {
			if at == "api.bitbucket.org/2.0/user/emails" {
				a.Body, a.Status = test.body, test.status
			}
		})
		p := s.make(providertest.ClientID, providertest.ClientSecret, through(srv))
		id, _, err := p.Complete(t.Context(), begin(t, srv, p, "state-1").callback(t))
		if err != nil || id.Email != "" || id.EmailVerified {
			t.Errorf("%s: got %+v, %v", name, id, err)
		}
	}
}

// told is a person as each service describes them, by host and path.
func told(p map[string]any) map[string]map[string]any {
	return map[string]map[string]any{
		"graph.facebook.com/v2.9/me":        {"id": p["sub"], "name": p["name"], "email": p["email"]},
		"bitbucket.org/api/2.0/user":        {"username": p["preferred_username"], "display_name": p["name"]},
		"api.bitbucket.org/2.0/user":        {"username": p["preferred_username"], "uuid": p["sub"], "account_status": "active"},
		"api.bitbucket.org/2.0/user/emails": {"values": []any{map[string]any{"email": p["email"], "is_primary": true, "is_confirmed": p["email_verified"]}}},
		"api.twitter.com/1.1/account/verify_credentials.json": {
			"id": json.Number(fmt.Sprint(p["sub"])), "id_str": p["sub"], "name": p["name"], "screen_name": p["preferred_username"],
		},
		"api.tumblr.com/v2/user/info": {"response": map[string]any{"user": map[string]any{
			"name":  p["preferred_username"],
			"blogs": []any{map[string]any{"uuid": p["sub"], "name": p["preferred_username"], "primary": true}},
		}}},
	}
}

func TestContractOfReadyMade(t *testing.T) {
	for name, s := range services {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(t *testing.T, srv *providertest.Server) provider.Provider {
				srv.Alter = func(a *providertest.Answer) {
					body, ok := told(a.Person)[a.Request.Host+a.Request.URL.Path]
					if ok && a.Person != nil && a.Status == http.StatusOK {
						a.Body = body
					}
				}
				return s.make(providertest.ClientID, providertest.ClientSecret, through(srv))
			})
		})
	}
}
