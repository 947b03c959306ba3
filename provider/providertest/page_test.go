package providertest_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/provider/providertest"
)

// started is a Server with its page for people.
func started(t *testing.T) *providertest.Server {
	t.Helper()
	s, err := providertest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// open loads the page and returns the number of its question.
func open(t *testing.T, s *providertest.Server, q url.Values) (answer, url.Values) {
	t.Helper()
	a := get(t, s.URL+"/authorize?"+q.Encode(), "")
	m := regexp.MustCompile(`name="ask" value="([^"]+)"`).FindStringSubmatch(a.text)
	if a.status != http.StatusOK || m == nil {
		t.Fatalf("the page: got %d %s", a.status, a.text)
	}
	return a, url.Values{"ask": {m[1]}}
}

func location(t *testing.T, a answer) url.Values {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(u.String(), "https://app.example.test/callback?") {
		t.Fatalf("the browser was sent to %q with %d: %s", u, a.status, a.text)
	}
	return u.Query()
}

func TestPage(t *testing.T) {
	s := started(t)
	a, form := open(t, s, begin())
	for _, want := range []string{"app.example.test", providertest.ClientID, "your email address", "Tove Almgren", "Cancel"} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	csp := a.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'self' https://app.example.test") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: got %q", csp)
	}
	if strings.Contains(a.text, " src=") || strings.Contains(a.text, "<link") || strings.Contains(a.text, "<script") {
		t.Error("the page loads something")
	}
	form.Set("person", "1")
	back := location(t, post(t, s.URL+"/choose", form))
	tok := post(t, s.URL+"/token", finish(back.Get("code")))
	if u := get(t, s.URL+"/userinfo", tok.body["access_token"].(string)); u.body["name"] != "Bashir Oyelaran" {
		t.Errorf("got %s, want Bashir", u.text)
	}
	if a := post(t, s.URL+"/choose", form); a.status != http.StatusBadRequest {
		t.Errorf("the same page again: got %d, want 400", a.status)
	}
}

func TestPageTyped(t *testing.T) {
	s := started(t)
	subject := func(name, email, verified string) map[string]any {
		t.Helper()
		_, form := open(t, s, begin())
		form.Set("name", name)
		form.Set("email", email)
		form.Set("verified", verified)
		tok := post(t, s.URL+"/token", finish(location(t, post(t, s.URL+"/choose", form)).Get("code")))
		return get(t, s.URL+"/userinfo", tok.body["access_token"].(string)).body
	}
	a, b, c := subject("Åsa <b>", "asa@example.test", "yes"), subject("Åsa", "ASA@example.test", ""), subject("Bo", "", "")
	if a["sub"] != b["sub"] || a["sub"] == c["sub"] || a["sub"] == "" {
		t.Errorf("subjects: got %v, %v and %v, want the first two equal", a["sub"], b["sub"], c["sub"])
	}
	if a["name"] != "Åsa <b>" || a["email"] != "asa@example.test" || a["email_verified"] != true || b["email_verified"] != false || c["email"] != nil {
		t.Errorf("got %v, %v and %v", a, b, c)
	}
}

func TestPageRefuses(t *testing.T) {
	s := started(t)
	_, form := open(t, s, begin())
	r := request(t, http.MethodPost, s.URL+"/choose", url.Values{"ask": form["ask"], "person": {"0"}})
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := do(t, r); a.status != http.StatusBadRequest {
		t.Errorf("a choice made on another page: got %d, want 400", a.status)
	}
	if a := post(t, s.URL+"/choose", url.Values{"ask": {"guess"}, "person": {"0"}}); a.status != http.StatusBadRequest {
		t.Errorf("a guessed question: got %d, want 400", a.status)
	}
	if a := get(t, s.URL+"/choose?ask="+form.Get("ask")+"&person=0", ""); a.status != http.StatusMethodNotAllowed {
		t.Errorf("a choice by GET: got %d, want 405", a.status)
	}
	a := post(t, s.URL+"/choose", form)
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.text, "Type a name") {
		t.Errorf("a choice of nobody: got %d", a.status)
	}
	_, form = open(t, s, begin())
	form.Set("person", "99")
	if a := post(t, s.URL+"/choose", form); a.status != http.StatusBadRequest {
		t.Errorf("somebody who is not there: got %d, want 400", a.status)
	}
}

func TestPageCancel(t *testing.T) {
	s := started(t)
	_, form := open(t, s, begin())
	form.Set("cancel", "yes")
	back := location(t, post(t, s.URL+"/choose", form))
	if back.Get("error") != "access_denied" || back.Get("state") != "a state" || back.Get("iss") != s.URL || back.Get("code") != "" {
		t.Errorf("the app got %v", back)
	}
	q := begin()
	q.Set("prompt", "none")
	if back := location(t, get(t, s.URL+"/authorize?"+q.Encode(), "")); back.Get("error") != "login_required" {
		t.Errorf("prompt=none: the app got %v", back)
	}
}

func TestPageEscapes(t *testing.T) {
	s := started(t)
	q := begin()
	q.Set("scope", `openid <script>alert(1)</script>`)
	q.Set("login_hint", `"><img src=x>@`)
	a, _ := open(t, s, q)
	if strings.Contains(a.text, "<script") || strings.Contains(a.text, "<img") {
		t.Errorf("the page holds what the app sent: %s", a.text)
	}
}

func TestFormPost(t *testing.T) {
	s := providertest.NewServer(t)
	q := begin()
	q.Set("response_mode", "form_post")
	q.Set("state", `"&<é `)
	a := get(t, s.URL+"/authorize?"+q.Encode(), "")
	if a.status != http.StatusOK || !strings.Contains(a.text, `method="post" action="`+html.EscapeString(callback)+`"`) {
		t.Fatalf("got %d %s", a.status, a.text)
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action https://app.example.test") {
		t.Errorf("Content-Security-Policy: got %q", csp)
	}
	back := authorize(t, s, q)
	if back.Get("state") != `"&<é ` || back.Get("tenant") != "" {
		t.Errorf("the app got %v", back)
	}
	if a := post(t, s.URL+"/token", finish(back.Get("code"))); a.status != http.StatusOK {
		t.Errorf("got %d %s, want 200", a.status, a.text)
	}
}

func TestStartAt(t *testing.T) {
	s := started(t)
	addr := s.Listener.Addr().String()
	if _, err := providertest.StartAt(addr); err == nil {
		t.Error("two services have one address")
	}
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if s, err := providertest.StartAt(addr); err == nil {
			s.Close()
			t.Errorf("StartAt(%q) started, want an error", addr)
		}
	}
	s.Close()
	again, err := providertest.StartAt(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.URL != s.URL {
		t.Errorf("the service has moved from %s to %s", s.URL, again.URL)
	}
}
