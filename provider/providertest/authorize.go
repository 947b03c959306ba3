package providertest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// authorize is the authorization endpoint. What it cannot trust it answers on a
// page; once it knows the app and where the app lives, it sends errors there.
func (s *Server) authorize(r *request) *Answer {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return r.notAllowed("GET, POST")
	}
	q := r.query
	if r.Method == http.MethodPost {
		q = r.form
	}
	if r.bad != nil {
		return r.stop("The request is malformed.")
	}
	if name := twice(q); name == "client_id" || name == "redirect_uri" || name == "state" {
		return r.stop("The app gave " + name + " twice.")
	}
	client := q.Get("client_id")
	if client != ClientID && client != PublicClientID {
		return r.stop("No app with that client_id is registered here.")
	}
	to := q.Get("redirect_uri")
	if !returnable(to) {
		return r.stop("The app's redirect_uri is not an https URL, nor on this machine, or has a fragment.")
	}
	post := q.Get("response_mode") == "form_post"
	fail := func(code, description string) *Answer {
		v := url.Values{"error": {code}, "error_description": {description}, "iss": {s.URL}}
		if q.Get("state") != "" {
			v.Set("state", q.Get("state"))
		}
		return r.back(to, post, v)
	}
	if code, description := judge(q, client); code != "" {
		return fail(code, description)
	}
	g := &grant{
		client:    client,
		scopes:    strings.Fields(q.Get("scope")),
		redirect:  to,
		challenge: q.Get("code_challenge"),
		nonce:     q.Get("nonce"),
		issuer:    s.URL,
		plain:     r.plain,
		sid:       secret("sid"),
	}
	if r.plain {
		// The plain flavour has no ID tokens, whatever the app asks for.
		g.scopes = slices.DeleteFunc(g.scopes, func(scope string) bool { return scope == "openid" })
	}
	return s.ask(r, question{
		app: client, to: to, scopes: g.scopes, hint: q.Get("login_hint"),
		silent: q.Get("prompt") == "none",
		yes: func(r *request, person map[string]any) *Answer {
			g.person, g.authTime = person, s.authTime(q)
			return r.about(person, r.back(to, post, url.Values{
				"code": {s.issueCode(g)}, "state": {q.Get("state")}, "iss": {s.URL},
			}))
		},
		no: func(r *request, code string) *Answer { return fail(code, "the person said no") },
	})
}

// judge looks at what the app asks for, and returns an error code of RFC 6749
// section 4.1.2.1 if it is refused.
func judge(q url.Values, client string) (code, description string) {
	if name := twice(q); name != "" {
		return "invalid_request", name + " is given twice"
	}
	switch {
	case q.Get("response_type") == "":
		return "invalid_request", "response_type is missing"
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "want response_type=code"
	case q.Get("state") == "":
		return "invalid_request", "state is missing"
	case q.Has("client_secret"):
		return "invalid_request", "the client secret must not pass through the browser"
	case q.Has("request"):
		return "request_not_supported", "request objects are not supported"
	case q.Has("request_uri"):
		return "request_uri_not_supported", "request objects are not supported"
	case q.Has("code_verifier"):
		return "invalid_request", "the verifier must not pass through the browser"
	case q.Has("code_challenge") && q.Get("code_challenge_method") != "S256":
		return "invalid_request", "want code_challenge_method=S256"
	case q.Has("code_challenge") && len(q.Get("code_challenge")) != 43:
		return "invalid_request", "code_challenge is no SHA-256 in base64url"
	case !q.Has("code_challenge") && client == PublicClientID:
		return "invalid_request", "an app without a secret must use PKCE"
	}
	switch q.Get("response_mode") {
	case "", "query", "form_post":
	default:
		return "invalid_request", "want response_mode query or form_post"
	}
	if age := q.Get("max_age"); age != "" {
		if n, err := strconv.Atoi(age); err != nil || n < 0 {
			return "invalid_request", "max_age is no number of seconds"
		}
	}
	prompts := strings.Fields(q.Get("prompt"))
	if slices.Contains(prompts, "none") && len(prompts) > 1 {
		return "invalid_request", "prompt=none stands alone"
	}
	return "", ""
}

// authTime is when the person last proved who they are. Whoever comes in has
// been logged in at the service for an hour, unless the app asks for proof.
func (s *Server) authTime(q url.Values) time.Time {
	now, earlier := s.now(), s.now().Add(-time.Hour)
	if s.page || slices.Contains(strings.Fields(q.Get("prompt")), "login") {
		return now
	}
	if age, err := strconv.Atoi(q.Get("max_age")); err == nil && time.Duration(age)*time.Second < now.Sub(earlier) {
		return now
	}
	return earlier
}

// returnable reports whether a browser may be sent to the URL with a code.
func returnable(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.Contains(raw, "#") {
		return false
	}
	// The host stands in the page's Content-Security-Policy, so that nothing
	// else than a host may be in it.
	for _, c := range u.Host {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]", c) {
			return false
		}
	}
	return u.Scheme == "https" || u.Scheme == "http" && (loopback(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".localhost"))
}

func (r *request) notAllowed(methods string) *Answer {
	a := r.refuse(http.StatusMethodNotAllowed, "invalid_request", "the method is not allowed here")
	a.Header.Set("Allow", methods)
	return a
}

// about says who the answer is about, for Alter.
func (r *request) about(person map[string]any, a *Answer) *Answer {
	a.Person = person
	return a
}
