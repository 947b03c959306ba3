package catalog_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider"
)

// How an entry judges email addresses.
const (
	noEmail  = "no email"  // the service gives none
	never    = "never"     // it does not vouch for any
	byRule   = "by rule"   // it says which it vouches for
	byPolicy = "by policy" // that, if the app trusts the server
)

// A pin is what stands in the databases of apps, or would be missed by them.
type pin struct {
	dir, id, issuer string
	subject         []string // what Subject is made of, by place
	handle          []string // what people can rename without becoming someone else
	email           string
	scopes          string
	api             string
	noPKCE          bool
	reauth, posts   bool
}

// pins must not change but by addition. A change of id, issuer or subject locks
// people out, or lets them into accounts of others; see the comments of
// provider.Info.ID and provider.Identity.Subject.
var pins = []pin{
	{dir: "apple", id: "apple", issuer: "https://appleid.apple.com", subject: []string{"claims:sub"}, handle: []string{"claims:email"}, email: byRule, scopes: "openid name email", api: "https://appleid.apple.com", posts: true},
	{dir: "auth0", id: "auth0", issuer: "https://acme.eu.auth0.example/", subject: []string{"claims:sub", "profile:body.sub"}, handle: []string{"profile:body.nickname", "profile:body.email"}, email: byPolicy, scopes: "openid profile email", reauth: true},
	{dir: "bitbucket", id: "bitbucket", issuer: "https://bitbucket.org", subject: []string{"profile:body.uuid"}, handle: []string{"profile:body.username", "profile:body.nickname", "profile:body.account_id"}, email: byRule, scopes: "account email", api: "https://api.bitbucket.org/2.0"},
	{dir: "discord", id: "discord", issuer: "https://discord.com", subject: []string{"profile:body.id"}, handle: []string{"profile:body.username", "profile:body.global_name", "profile:body.email"}, email: byRule, scopes: "identify email", api: "https://discord.com/api"},
	{dir: "facebook", id: "facebook", issuer: "https://www.facebook.com", subject: []string{"profile:body.id"}, handle: []string{"profile:body.name", "profile:body.email"}, email: never, scopes: "public_profile,email", api: "https://graph.facebook.com/v24.0", reauth: true},
	{dir: "github", id: "github", issuer: "https://github.com", subject: []string{"profile:body.id"}, handle: []string{"profile:body.login", "profile:body.node_id", "emails:body.2.email"}, email: byRule, scopes: "read:user user:email", api: "https://api.github.com"},
	{dir: "github-enterprise", id: "github-enterprise", issuer: "https://git.corp.example", subject: []string{"profile:body.id"}, handle: []string{"profile:body.login", "profile:body.node_id"}, email: byPolicy, scopes: "read:user user:email", api: "https://git.corp.example/api/v3"},
	{dir: "gitlab", id: "gitlab", issuer: "https://gitlab.com", subject: []string{"profile:body.id"}, handle: []string{"profile:body.username", "profile:body.email"}, email: byRule, scopes: "read_user", api: "https://gitlab.com/api/v4"},
	{dir: "gitlab-self-managed", id: "gitlab-self-managed", issuer: "https://code.corp.example:8443", subject: []string{"profile:body.id"}, handle: []string{"profile:body.username"}, email: byPolicy, scopes: "read_user", api: "https://code.corp.example:8443/api/v4"},
	{dir: "google", id: "google", issuer: "https://accounts.google.com", subject: []string{"claims:sub", "profile:body.sub"}, handle: []string{"claims:name"}, email: byRule, scopes: "openid profile email", api: "https://www.googleapis.com"},
	{dir: "keycloak", id: "keycloak", issuer: "https://login.corp.example/realms/staff%20room", subject: []string{"claims:sub", "profile:body.sub"}, handle: []string{"profile:body.preferred_username"}, email: byPolicy, scopes: "openid profile email", reauth: true},
	{dir: "linkedin", id: "linkedin", issuer: "https://www.linkedin.com", subject: []string{"profile:body.sub"}, handle: []string{"profile:body.name", "profile:body.email"}, email: byRule, scopes: "openid profile email", api: "https://api.linkedin.com/v2", noPKCE: true},
	{dir: "microsoft", id: "microsoft", issuer: "https://login.microsoftonline.com/4c1f6d0e-1234-4222-8333-0a0b0c0d0e0f/v2.0", subject: []string{"claims:oid"}, handle: []string{"claims:sub", "claims:preferred_username", "claims:email"}, email: byRule, scopes: "openid profile email", api: "https://graph.microsoft.com/v1.0"},
	{dir: "microsoft-tenant", id: "microsoft", issuer: "https://login.microsoftonline.com/4c1f6d0e-1234-4222-8333-0a0b0c0d0e0f/v2.0", subject: []string{"claims:oid"}, handle: []string{"claims:sub", "claims:preferred_username", "claims:email"}, email: byRule, scopes: "openid profile email", api: "https://graph.microsoft.com/v1.0"},
	{dir: "notion", id: "notion", issuer: "https://api.notion.com", subject: []string{"profile:body.bot.owner.user.id"}, handle: []string{"profile:body.id", "profile:body.bot.owner.user.name"}, email: never, api: "https://api.notion.com/v1"},
	{dir: "oidc", id: "oidc", issuer: "https://idp.corp.example/tenant", subject: []string{"claims:sub", "profile:body.sub"}, handle: []string{"profile:body.preferred_username"}, email: byPolicy, scopes: "openid profile email", reauth: true},
	{dir: "okta", id: "okta", issuer: "https://acme.okta.example", subject: []string{"claims:sub", "profile:body.sub"}, handle: []string{"profile:body.preferred_username"}, email: byPolicy, scopes: "openid profile email", reauth: true},
	{dir: "reddit", id: "reddit", issuer: "https://www.reddit.com", subject: []string{"profile:body.id"}, handle: []string{"profile:body.name"}, email: noEmail, scopes: "identity", api: "https://oauth.reddit.com"},
	{dir: "slack", id: "slack", issuer: "https://slack.com", subject: []string{"claims:https://slack.com/user_id"}, handle: []string{"claims:name"}, email: byRule, scopes: "openid profile email", api: "https://slack.com/api", noPKCE: true},
	{dir: "spotify", id: "spotify", issuer: "https://accounts.spotify.com", subject: []string{"profile:body.account_id"}, handle: []string{"profile:body.id", "profile:body.display_name", "profile:body.email"}, email: never, scopes: "user-read-email", api: "https://api.spotify.com/v1"},
	{dir: "telegram", id: "telegram", issuer: "https://oauth.telegram.org", subject: []string{"claims:id"}, handle: []string{"claims:preferred_username", "claims:name"}, email: noEmail, scopes: "openid profile", api: "https://oauth.telegram.org"},
	{dir: "tiktok", id: "tiktok", issuer: "https://www.tiktok.com", subject: []string{"profile:body.data.user.open_id"}, handle: []string{"profile:body.data.user.union_id", "profile:body.data.user.display_name"}, email: noEmail, scopes: "user.info.basic", api: "https://open.tiktokapis.com/v2"},
	{dir: "tumblr", id: "tumblr", issuer: "https://www.tumblr.com", subject: []string{"profile:body.response.user.blogs.1.uuid"}, handle: []string{"profile:body.response.user.name", "profile:body.response.user.blogs.1.name"}, email: noEmail, api: "https://api.tumblr.com/v2", noPKCE: true},
	{dir: "twitch", id: "twitch", issuer: "https://id.twitch.tv", subject: []string{"profile:body.data.0.id"}, handle: []string{"profile:body.data.0.login", "profile:body.data.0.email"}, email: never, scopes: "user:read:email", api: "https://api.twitch.tv/helix"},
	{dir: "twitter", id: "twitter", issuer: "https://x.com", subject: []string{"profile:body.id_str"}, handle: []string{"profile:body.screen_name", "profile:body.email"}, email: byRule, api: "https://api.x.com/1.1", noPKCE: true},
	{dir: "vk", id: "vk", issuer: "https://id.vk.ru", subject: []string{"profile:body.user.user_id"}, handle: []string{"profile:body.user.email", "profile:body.user.phone"}, email: never, scopes: "email", api: "https://api.vk.com"},
	{dir: "wechat", id: "wechat", issuer: "https://open.weixin.qq.com", subject: []string{"profile:body.openid"}, handle: []string{"profile:body.nickname", "profile:body.unionid"}, email: noEmail, scopes: "snsapi_login", api: "https://api.weixin.qq.com/sns", noPKCE: true},
	{dir: "x", id: "x", issuer: "https://x.com", subject: []string{"profile:body.data.id"}, handle: []string{"profile:body.data.username", "profile:body.data.confirmed_email"}, email: byRule, scopes: "users.read tweet.read users.email", api: "https://api.x.com/2"},
}

func TestPins(t *testing.T) {
	var pinned, have []string
	for _, p := range pins {
		pinned = append(pinned, p.dir)
	}
	for _, e := range entries() {
		have = append(have, e.dir)
	}
	slices.Sort(have)
	if !slices.Equal(pinned, have) {
		t.Fatalf("pinned are %q, and there are %q", pinned, have)
	}
	for _, p := range pins {
		t.Run(p.dir, func(t *testing.T) {
			t.Parallel()
			e, f := entryOf(t, p.dir), readFixture(t, p.dir)
			_, made, id, _, err := logIn(t, e, f.script(t, variant{}))
			if err != nil {
				t.Fatal(err)
			}
			info := made.Info()
			if info.ID != p.id || info.API != p.api || info.Reauth != p.reauth || info.PostsBack != p.posts {
				t.Errorf("Info: got %+v, want %+v", info, p)
			}
			if id.Issuer != p.issuer {
				t.Errorf("Issuer: got %s, want %s", id.Issuer, p.issuer)
			}
			if !strings.HasPrefix(info.Setup, "https://") && p.dir != "oidc" {
				t.Errorf("Setup: got %q, want a page for developers", info.Setup)
			}
			p.testBegin(t, e, f)
			p.testSubject(t, e, f, id)
			p.testEmail(t, e, f)
		})
	}
}

func (p pin) testBegin(t *testing.T, e entry, f fixture) {
	t.Helper()
	s := newService(t, f.script(t, variant{}))
	to, err := e.new(clientID, clientSecret, client(s)).Begin(context.Background(), provider.Request{State: stateValue, CallbackURL: redirectURI})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Query().Get("scope"); got != p.scopes {
		t.Errorf("scope: got %q, want %q", got, p.scopes)
	}
	if got := u.Query().Get("code_challenge_method") != "S256"; got != p.noPKCE {
		t.Errorf("no PKCE: got %v, want %v", got, p.noPKCE)
	}
}

// testSubject shows that Subject follows from its own members and no others,
// and that nobody logs in without it.
func (p pin) testSubject(t *testing.T, e entry, f fixture, id provider.Identity) {
	t.Helper()
	other := func(v any) map[string]any {
		set := map[string]any{}
		for _, place := range p.subject {
			set[place] = v
		}
		return set
	}
	_, _, got, _, err := logIn(t, e, f.script(t, variant{Set: other("7000000000000000001")}))
	if err != nil || got.Subject == id.Subject || !strings.HasSuffix(got.Subject, "7000000000000000001") {
		t.Errorf("another %q: got Subject %q (%v)", p.subject, got.Subject, err)
	}
	for _, nobody := range []any{"", nil, true, []any{}, map[string]any{"id": "1"}} {
		s := f.script(t, variant{Set: other(nobody)})
		if _, _, got, _, err := logIn(t, e, s); err == nil {
			t.Errorf("%v as %q: logged in as %q", nobody, p.subject, got.Subject)
		}
	}
	for _, place := range p.handle {
		_, _, got, _, err := logIn(t, e, f.script(t, variant{Set: map[string]any{place: "renamed@dahl.example"}}))
		if err != nil || got.Subject != id.Subject {
			t.Errorf("another %s: got Subject %q (%v), want %q", place, got.Subject, err, id.Subject)
		}
	}
}

func (p pin) testEmail(t *testing.T, e entry, f fixture) {
	t.Helper()
	verified := func(v variant, opts ...provider.Option) (string, bool) {
		_, _, id, _, err := logIn(t, e, f.script(t, v), opts...)
		if err != nil {
			t.Fatal(err)
		}
		return id.Email, id.EmailVerified
	}
	email, plain := verified(variant{})
	_, trusted := verified(variant{}, provider.WithTrustedEmails())
	if (email == "") != (p.email == noEmail) {
		t.Errorf("Email: got %q, and the rule is %s", email, p.email)
	}
	switch p.email {
	case noEmail, never:
		if plain || trusted {
			t.Errorf("verified: got %v, trusted %v, want neither", plain, trusted)
		}
	case byPolicy:
		if plain || !trusted {
			t.Errorf("verified: got %v, trusted %v, want only the latter", plain, trusted)
		}
	case byRule:
		var yes, no bool
		for _, v := range append(f.variants(t), variant{}) {
			if v.Error != "" {
				continue
			}
			if address, ok := verified(v); ok {
				yes = true
			} else {
				no = no || address != "" || v.Identity["EmailVerified"] == false
			}
		}
		if !yes || !no {
			t.Errorf("want a variant with a verified address and one without: got %v and %v", yes, no)
		}
	}
}
