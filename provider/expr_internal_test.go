package provider

// An internal test: paths, rules, conditions and templates are a language of
// their own, whose every form would need a server each from outside.

import (
	"net/url"
	"strings"
	"testing"
)

func testDocuments(t testing.TB) documents {
	t.Helper()
	doc := func(s string) any {
		v, err := decodeJSON([]byte(s))
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		return v
	}
	return documents{
		profile: doc(`{
			"id": 9007199254740993, "float": 1.5, "exp": 1e3, "zero": 0, "yes": true, "no": false, "nil": null, "empty": "",
			"given": "Ada", "family": "Lovelace", "html": "a&amp;b", "url": "https://x.example/u/7?size=1", "prefix": "CHARACTER:EVE:42",
			"data": {"user": {"id": "u1", "display-name": "Ada L"}},
			"images": [{"url": "https://i.example/0"}, {"url": "https://i.example/1"}],
			"https://slack.com/user_id": "U7", "1": "one", "last": "l", "verified_int": 1, "one": "1", "true": "true", "state": "confirmed",
			"emails": [{"email": "b@x.example", "primary": false, "verified": true}, {"email": "a@x.example", "primary": true, "verified": true}],
			"included": [{"type": "Phone", "at": "1"}, {"type": "Email", "at": "e@x.example"}],
			"scoped": [{"scope": ["a"], "m": "1"}, {"scope": ["a", "primary"], "m": "2"}],
			"list": ["a@x.example", "b@x.example"], "none": [], "obj": {}
		}`),
		token:    map[string]any{"openid": "o1", "body": map[string]any{"userid": "77"}},
		idToken:  map[string]any{"tid": "T", "oid": "O"},
		callback: url.Values{"device_id": {"d1"}, "openid.claimed_id": {"https://s.example/id/9"}},
		calls:    map[string]any{"emails": doc(`[{"email":"c@x.example","primary":true,"verified":true}]`)},
	}
}

// evalPath returns the text at path, or "" if there is none or path is bad.
func evalPath(path string, d documents) string {
	p, err := parsePath(path, nil)
	if err != nil {
		return ""
	}
	return p.eval(d, false)
}

// evalRule reports whether rule holds for email, which it never does for an
// address that is empty or malformed, nor if it is bad itself.
func evalRule(rule, email string, d documents) bool {
	r, err := parseRule(rule, nil)
	return err == nil && validEmail(email) && r(email, d)
}

// evalCond reports whether doc meets the condition, which it never does if the
// condition is bad.
func evalCond(cond string, doc any) bool {
	c, err := parseCond(cond)
	return err == nil && c(doc)
}

// identity is compile and then identity, for fields that are read once.
func (f Fields) identity(d documents, emailsVerified bool) Identity {
	var calls []string
	for name := range d.calls {
		calls = append(calls, name)
	}
	m, _ := f.compile(calls)
	return m.identity(d, emailsVerified)
}

func TestPaths(t *testing.T) {
	d := testDocuments(t)
	for _, x := range []struct{ path, want string }{
		{"given", "Ada"},
		{"id", "9007199254740993"},
		{"float", "1.5"},
		{"zero", "0"},
		{"data.user.id", "u1"},
		{`data.user["display-name"]`, "Ada L"},
		{`["https://slack.com/user_id"]`, "U7"},
		{"images.0.url", "https://i.example/0"},
		{"images[1].url", "https://i.example/1"},
		{"images.last.url", "https://i.example/1"},
		{"images[last].url", "https://i.example/1"},
		{"images.2.url", ""},
		{"images.-1.url", ""},
		{"1", "one"},
		{"last", "l"},
		{"list.1", "b@x.example"},
		{"emails[primary].email", "a@x.example"},
		{"emails[primary&verified].email", "a@x.example"},
		{"emails[missing].email", ""},
		{"included[type==Email].at", "e@x.example"},
		{"scoped[scope~primary].m", "2"},
		{"given family", "Ada Lovelace"},
		{"given  family", "Ada Lovelace"},
		{"given missing", "Ada"},
		{"missing|given", "Ada"},
		{"empty|nil|given", "Ada"},
		{"missing|given family", "Ada Lovelace"},
		{"given|family", "Ada"},
		{"id_token:tid&id_token:oid", "T/O"},
		{"id_token:tid&id_token:none", ""},
		{"token:openid", "o1"},
		{"token:body.userid", "77"},
		{"callback:device_id", "d1"},
		{`callback:["openid.claimed_id"]>lastseg`, "9"},
		{"emails:0.email", "c@x.example"},
		{"emails:[primary&verified].email", "c@x.example"},
		{"prefix>strip:CHARACTER:EVE:", "42"},
		{"given>strip:X", "Ada"},
		{"url>noquery", "https://x.example/u/7"},
		{"url>noquery>lastseg", "7"},
		{"html>nohtml", "a&b"},
		{"yes", ""},
		{"nil", ""},
		{"data", ""},
		{"images", ""},
		{"given.x", ""},
		{"tmpl:https://cdn.example/{data.user.id}/{id}.png", "https://cdn.example/u1/9007199254740993.png"},
		{"tmpl:https://cdn.example/{missing}.png", ""},
		{"tmpl:https://cdn.example/{data.user[\"display-name\"]}?n={given}", "https://cdn.example/Ada%20L?n=Ada"},
		{"tmpl:{given}#{family}", "Ada#Lovelace"},
		{"tmpl:{missing|given}", "Ada"},
	} {
		if _, err := parsePath(x.path, []string{"emails"}); err != nil {
			t.Errorf("%s: %v", x.path, err)
		}
		if got := evalPath(x.path, d); got != x.want {
			t.Errorf("%s: got %q, want %q", x.path, got, x.want)
		}
	}
}

func TestBadPaths(t *testing.T) {
	for _, s := range []string{
		"", " ", "|", "a|", "|a", ".", "a.", ".a", "a..b", "a[", "a[]", `a["]`, `a[""]`, `a["x"`, "a]", "a.[b]", "a[b]c",
		"nobody:x", ":x", "tmpl:{", "tmpl:{}", "tmpl:{a..b}", "a>", "a>what", "a>strip:", "a&", "&a", "a&&b", "a[x==]",
		"a[==x]", "a[b&]", "a{b}", `a"b`, "a\\b", "a\x00b", "token:", "in:x", "any:x",
	} {
		if _, err := parsePath(s, []string{"emails"}); err == nil {
			t.Errorf("%q: no error", s)
		}
		if got := evalPath(s, testDocuments(t)); got != "" {
			t.Errorf("%q: got %q, want nothing", s, got)
		}
	}
}

func TestRules(t *testing.T) {
	d := testDocuments(t)
	for _, x := range []struct {
		rule string
		want bool
	}{
		{"yes", true}, {"no", false}, {"true", false}, {"one", false}, {"verified_int", false}, {"missing", false}, {"nil", false},
		{"claim_loose:yes", true}, {"claim_loose:true", true}, {"claim_loose:one", true}, {"claim_loose:verified_int", true},
		{"claim_loose:no", false}, {"claim_loose:given", false}, {"claim_loose:zero", false}, {"claim_loose:missing", false},
		{"int:verified_int==1", true}, {"int:zero==1", false}, {"int:one==1", false}, {"int:missing==1", false}, {"int:id==9007199254740992", false},
		{"state:state==confirmed", true}, {"state:state==other", false}, {"state:verified_int==1", false}, {"state:missing==confirmed", false},
		{"nonnull:given", true}, {"nonnull:no", true}, {"nonnull:nil", false}, {"nonnull:missing", false},
		{"nonempty:given", true}, {"nonempty:empty", false}, {"nonempty:nil", false}, {"nonempty:none", false}, {"nonempty:obj", false},
		{"nonempty:list", true}, {"nonempty:no", false}, {"nonempty:missing", false},
		{"in:list", true}, {"in:given", false}, {"in:missing", false}, {"in:list.0", true}, {"in:list.1", false},
		{"all:yes,yes", true}, {"all:yes,no", false}, {"all:yes,missing", false}, {"all:yes, yes", true}, {"all:no,yes", false},
		{"any:no;yes", true}, {"any:no;missing", false}, {"any:claim_loose:no;in:list", true}, {"any:all:yes,no;state:state==confirmed", true},
		{"emails:0.verified", true}, {"emails[primary&verified].verified", true}, {"claim_loose:id_token:tid", false},
	} {
		if _, err := parseRule(x.rule, []string{"emails"}); err != nil {
			t.Errorf("%s: %v", x.rule, err)
		}
		if got := evalRule(x.rule, "a@x.example", d); got != x.want {
			t.Errorf("%s: got %v, want %v", x.rule, got, x.want)
		}
	}
}

func TestRuleNeverVouchesForNoAddress(t *testing.T) {
	d := testDocuments(t)
	for _, email := range []string{"", "a", "@", "a@", "@b", "a@b@c", "a b@c", "ä@x.example", "a@x.example\n", "<a@b>", "a@b..c", "a,b@c"} {
		for _, r := range []string{"yes", "nonempty:given", "nonnull:given", "any:no;yes", "all:yes", "state:state==confirmed"} {
			if evalRule(r, email, d) {
				t.Errorf("%s holds for %q", r, email)
			}
		}
		id := Fields{Subject: "id", Email: "empty|nil", EmailVerified: "yes"}.identity(d, true)
		if id.Email != "" || id.EmailVerified {
			t.Errorf("got %q, %v of no address", id.Email, id.EmailVerified)
		}
	}
}

func TestBadRules(t *testing.T) {
	for _, s := range []string{
		"", "int:a", "int:a==", "int:==1", "state:a", "all:", "all:a,", "any:", "any:a;", "any:any:a;b", "in:", "claim_loose:",
		"nobody:a", "a|b", "a b", "a>lastseg", "nonnull:nobody:a",
	} {
		if _, err := parseRule(s, []string{}); err == nil {
			t.Errorf("%q: no error", s)
		}
		if evalRule(s, "a@x.example", testDocuments(t)) {
			t.Errorf("%q holds", s)
		}
	}
}

func TestConditions(t *testing.T) {
	d := testDocuments(t).profile
	for _, x := range []struct {
		cond string
		want bool
	}{
		{"state==confirmed", true}, {"state==other", false}, {"state!=confirmed", false}, {"state!=other", true},
		{"missing==1", false}, {"missing!=1", false}, {"nil!=1", false}, {"zero==0", true}, {"zero!=0", false}, {"verified_int!=0", true},
		{"yes==true", true}, {"no==false", true}, {"yes!=true", false}, {"data.user.id==u1", true}, {"data==x", false}, {"data!=x", false},
		{"given", true}, {"no", true}, {"missing", false}, {"nil", false}, {"!missing", true}, {"!nil", true}, {"!given", false},
		{"missing==1;yes==true", true}, {"missing;nil", false}, {"!missing;state==other", true},
		{"included[type==Email].at==e@x.example", true}, {"id==9007199254740993", true}, {"id==9007199254740992", false},
	} {
		if _, err := parseCond(x.cond); err != nil {
			t.Errorf("%s: %v", x.cond, err)
		}
		if got := evalCond(x.cond, d); got != x.want {
			t.Errorf("%s: got %v, want %v", x.cond, got, x.want)
		}
	}
	for _, s := range []string{"", "==1", "!", ";", "a;", "a..b==1", "a b"} {
		if _, err := parseCond(s); err == nil {
			t.Errorf("%q: no error", s)
		}
		if evalCond(s, d) {
			t.Errorf("%q holds", s)
		}
	}
	for _, doc := range []any{nil, "s", []any{}} {
		if evalCond("a!=1", doc) || evalCond("a", doc) {
			t.Errorf("a condition holds for %v", doc)
		}
	}
}

func testVars(t testing.TB) *flowVars {
	d := testDocuments(t)
	return &flowVars{
		clientID: "id:1", secret: "s&cret", tok: Token{AccessToken: "a/t", RefreshToken: "r t"},
		answer: map[string]any{"openid": "o 1", "host": "eu.example", "evil": "a@b.example/", "base": "https://t.example/x", "plain": "http://t.example", "nl": "a\nb", "up": ".."},
		kept:   map[string]string{"region": "eu", "callback.device_id": "kept"}, callback: d.callback, profile: d.profile, state: "st",
	}
}

func TestTemplates(t *testing.T) {
	for _, x := range []struct {
		where      place
		text, want string
	}{
		{inURL, "https://a.example/{token.openid}", "https://a.example/o%201"},
		{inURL, "https://a.example/me?t={access_token}&o={token.openid}", "https://a.example/me?t=a%2Ft&o=o+1"},
		{inURL, "https://{token.host}/me", "https://eu.example/me"},
		{inURL, "{token.base}/me?x={client_id}", "https://t.example/x/me?x=id%3A1"},
		{inURL, "https://a.example/{profile.data.user.id}", "https://a.example/u1"},
		{inText, "Basic {client_basic}", "Basic aWQ6MTpzJmNyZXQ="},
		{inText, "OAuth {access_token}", "OAuth a/t"},
		{inText, "{client_id}:{client_secret}", "id:1:s&cret"},
		{inText, "{proof}", "94b112edcc81608cc81328dd85171cea5d48d5da8237f2161535f6d9ac30589d"},
		{inText, "{token.region}", "eu"},
		{inText, "{callback.device_id}", "d1"},
		{inForm, "t={access_token}&s={client_secret}", "t=a%2Ft&s=s%26cret"},
		{inJSON, `{"query":"{me{id name}}"}`, `{"query":"{me{id name}}"}`},
		{inJSON, `{"q":"{viewer}","t":"{access_token}"}`, `{"q":"{viewer}","t":"a/t"}`},
		{inJSON, `{"n":"{token.nl}"}`, `{"n":"a\nb"}`},
	} {
		tmpl, err := parseTemplate(x.text, x.where)
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		got, err := tmpl.expand(testVars(t))
		if err != nil || got != x.want {
			t.Errorf("%s: got %q, %v; want %q", x.text, got, err, x.want)
		}
	}
}

func TestTemplateValueCannotChangeHostHeaderOrPath(t *testing.T) {
	for _, x := range []struct {
		where place
		text  string
	}{
		{inURL, "https://{token.evil}/me"}, {inURL, "{token.plain}/me"}, {inURL, "{token.openid}/me"},
		{inURL, "https://a.example/{token.up}/me"}, {inText, "{token.nl}"}, {inText, "{token.none}"}, {inText, "{callback.none}"},
	} {
		tmpl, err := parseTemplate(x.text, x.where)
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		if got, err := tmpl.expand(testVars(t)); err == nil {
			t.Errorf("%s: got %q, want an error", x.text, got)
		}
	}
}

func TestBadTemplates(t *testing.T) {
	for _, x := range []struct {
		where place
		text  string
	}{
		{inURL, "https://a.example/{"}, {inURL, "https://a.example/{}"}, {inURL, "https://a.example/{acess_token}"},
		{inURL, "https://{callback.host}/me"}, {inURL, "{callback.base}/me"}, {inURL, "https://{profile.host}/"}, {inURL, "https://{client_id}.example/"},
		{inURL, "ftp://{token.host}/"}, {inURL, "https://a.example/#{token.x}"}, {inText, "{token.}"}, {inText, "{what.x}"}, {inText, "{token.a..b}"},
	} {
		if _, err := parseTemplate(x.text, x.where); err == nil {
			t.Errorf("%s: no error", x.text)
		}
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for _, s := range []string{
		"", " ", "{", `{"a":1}{"b":2}`, `{"a":1} x`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "{\"a\":\"\xff\"}", "<html>", "nul", `{"a":1]`, `[1,2`, `{"a"}`,
	} {
		if v, err := decodeJSON([]byte(s)); err == nil {
			t.Errorf("%q: got %v, want an error", s, v)
		}
	}
	if v, err := decodeJSON([]byte(` {"a":{"b":1}} `)); err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestSubjects(t *testing.T) {
	d := testDocuments(t)
	for _, x := range []struct{ path, want string }{
		{"id", "9007199254740993"}, {"zero", "0"}, {"float", ""}, {"exp", ""}, {"yes", ""}, {"data", ""}, {"given", "Ada"},
	} {
		if got := (Fields{Subject: x.path}).identity(d, false).Subject; got != x.want {
			t.Errorf("%s: got %q, want %q", x.path, got, x.want)
		}
	}
	for _, s := range []string{"", strings.Repeat("x", 256), "a\x00", "a\nb", "a\x7f", "a\u0085", "\xff", "a\ufffd"} {
		if checkSubject(s) == nil {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"0", strings.Repeat("x", 255), "ä b", "did:plc:x"} {
		if err := checkSubject(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestOnlyHTTPSPictures(t *testing.T) {
	for _, s := range []string{
		"http://169.254.169.254/", "javascript:alert(1)", "data:text/html,x", "//x.example/a", "https:///a", "https://u:p@x.example/", "https://x.example/\n", "x", "ftp://x.example",
	} {
		if got := httpsOnly(s); got != "" {
			t.Errorf("%q: got %q, want nothing", s, got)
		}
	}
	if s := "https://x.example/a.png?s=1"; httpsOnly(s) != s {
		t.Errorf("%q is dropped", s)
	}
}

func TestSafeCode(t *testing.T) {
	for s, want := range map[string]string{
		"invalid_grant": "invalid_grant", "40029": "40029", "a.b-c": "a.b-c", "": "", "<script>": "", "a b": "", "a\nb": "",
		"SplxlOBeZQQYbYS6WxSbIA": "", "oauth2_error": "oauth2_error", "code-2qk7x4vbn3zt5mwrc6hj": "", "0123456789abcdef0123": "", strings.Repeat("a", 64): strings.Repeat("a", 64), strings.Repeat("a", 65): "",
	} {
		if got := safeCode(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
