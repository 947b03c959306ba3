package gologin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/dghubble/gologin/v2/facebook"
	"github.com/gatepass/gatepass/provider"
	"golang.org/x/oauth2"
)

const facebookGraph = "https://graph.facebook.com/v24.0"

// Facebook logs people in with Facebook, by gologin's facebook package.
//
// Facebook does not say whether an email address is verified. The Subject is the
// person's ID for this app; another app of yours sees another.
func Facebook(id, secret string, opts ...provider.Option) provider.Provider {
	return OAuth2{
		Info: provider.Info{
			ID:     "facebook",
			Name:   "Facebook",
			Setup:  "https://developers.facebook.com/apps",
			API:    facebookGraph,
			Reauth: true,
		},
		Config: &oauth2.Config{
			ClientID:     id,
			ClientSecret: secret,
			Scopes:       []string{"public_profile", "email"},
			Endpoint: oauth2.Endpoint{
				AuthURL:   "https://www.facebook.com/v24.0/dialog/oauth",
				TokenURL:  facebookGraph + "/oauth/access_token",
				AuthStyle: oauth2.AuthStyleInParams,
			},
		},
		Callback: func(config *oauth2.Config, success, failure http.Handler) http.Handler {
			return withProof(secret, facebook.CallbackHandler(config, success, failure))
		},
		Identity: facebookIdentity,
		// https://developers.facebook.com/docs/facebook-login/guides/advanced/re-authentication
		ReauthParams: url.Values{"auth_type": {"reauthenticate"}},
	}.New(opts...)
}

func facebookIdentity(ctx context.Context, _ *http.Client) (provider.Identity, error) {
	user, err := facebook.UserFromContext(ctx)
	if err != nil {
		return provider.Identity{}, err
	}
	raw, err := json.Marshal(user)
	if err != nil {
		return provider.Identity{}, err
	}
	return provider.Identity{
		Subject:   user.ID,
		Name:      user.Name,
		Email:     user.Email,
		AvatarURL: user.Picture.Data.URL,
		Raw:       raw,
	}, nil
}

// withProof makes the chain's requests to the Graph API carry appsecret_proof,
// which an app can be set to require. gologin does not send it.
// https://developers.facebook.com/docs/graph-api/guides/secure-requests
func withProof(secret string, chain http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		client, ok := ctx.Value(oauth2.HTTPClient).(*http.Client)
		if !ok {
			chain.ServeHTTP(w, r)
			return
		}
		proving := &http.Client{Transport: proof{client.Transport, secret}}
		chain.ServeHTTP(w, r.WithContext(context.WithValue(ctx, oauth2.HTTPClient, proving)))
	})
}

type proof struct {
	base   http.RoundTripper
	secret string
}

// RoundTrip implements [http.RoundTripper].
func (p proof) RoundTrip(req *http.Request) (*http.Response, error) {
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return p.base.RoundTrip(req) // the token request
	}
	mac := hmac.New(sha256.New, []byte(p.secret))
	mac.Write([]byte(token))
	out := req.Clone(req.Context())
	q := out.URL.Query()
	q.Set("appsecret_proof", hex.EncodeToString(mac.Sum(nil)))
	out.URL.RawQuery = q.Encode()
	return p.base.RoundTrip(out)
}
