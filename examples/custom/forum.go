package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"

	"github.com/gatepass/gatepass/provider"
)

// Forum logs people in with a Discourse forum, which speaks neither OAuth nor
// OpenID Connect: it takes and gives a signed form (DiscourseConnect).
func Forum(base, secret string) provider.Provider {
	return provider.Custom{
		Info:   provider.Info{ID: "forum", Name: "our forum", Setup: base + "/admin/site_settings?filter=discourse_connect"},
		Issuer: base,
		Begin: func(_ context.Context, _ *http.Client, req provider.Request) (provider.Redirect, error) {
			nonce, back := rand.Text(), req.CallbackURL+"?state="+url.QueryEscape(req.State)
			sso := base64.StdEncoding.EncodeToString([]byte(url.Values{"nonce": {nonce}, "return_sso_url": {back}}.Encode()))
			query := url.Values{"sso": {sso}, "sig": {sign(sso, secret)}}
			return provider.Redirect{URL: base + "/session/sso_provider?" + query.Encode(), Memo: nonce}, nil
		},
		Complete: func(_ context.Context, _ *http.Client, cb provider.Callback) (id provider.Identity, tok provider.Token, err error) {
			form, _ := base64.StdEncoding.DecodeString(cb.Param("sso"))
			said, _ := url.ParseQuery(string(form)) // what cannot be read has no nonce
			if !hmac.Equal([]byte(cb.Param("sig")), []byte(sign(cb.Param("sso"), secret))) || said.Get("nonce") != cb.Memo() {
				return id, tok, errors.New("want an answer signed by the forum, to this login")
			}
			return provider.Identity{Subject: said.Get("external_id"), Username: said.Get("username"), Name: said.Get("name")}, tok, nil
		},
	}.New()
}

func sign(text, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
