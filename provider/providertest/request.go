package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxBody is more than any request of the three protocols needs.
const maxBody = 1 << 20

// A request is one that has been read: what it is about and all it carries.
type request struct {
	*http.Request
	endpoint string
	plain    bool       // OAuth 2.0 without OpenID Connect
	foreign  bool       // made for another host, see Transport
	base     string     // scheme and host that it was made for
	query    url.Values // of the URL
	form     url.Values // of the body, if it is a form
	fields   []string   // every text in a JSON body
	bad      error      // the query or the body is malformed
}

func (s *Server) read(r *http.Request) *request {
	req := &request{Request: r, base: "http://" + r.Host}
	if scheme := r.Header.Get(schemeHeader); scheme != "" {
		req.foreign = r.Host != s.Listener.Addr().String()
		if req.foreign {
			req.base = scheme + "://" + r.Host
		}
	}
	var err error
	if req.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		req.bad = fmt.Errorf("query: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		req.bad = fmt.Errorf("body: %w", err)
	}
	if len(body) > maxBody {
		req.bad = fmt.Errorf("body: more than %d bytes", maxBody)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.TrimSpace(strings.ToLower(kind)) {
	case "application/x-www-form-urlencoded":
		if req.form, err = url.ParseQuery(string(body)); err != nil {
			req.bad = fmt.Errorf("body: %w", err)
		}
	case "application/json":
		var v any
		if err := json.Unmarshal(body, &v); err == nil {
			req.form = url.Values{}
			if m, ok := v.(map[string]any); ok {
				for name, value := range m {
					if text, ok := value.(string); ok {
						req.form.Set(name, text)
					}
				}
			}
			req.fields = texts(v, nil)
		}
	}
	return req
}

// texts returns every text in v, however deep.
func texts(v any, found []string) []string {
	switch v := v.(type) {
	case string:
		found = append(found, v)
	case []any:
		for _, e := range v {
			found = texts(e, found)
		}
	case map[string]any:
		for _, e := range v {
			found = texts(e, found)
		}
	}
	return found
}

// twice returns the name of a parameter that is given more than once, or "".
func twice(v url.Values) string {
	for name, values := range v {
		if len(values) > 1 {
			return name
		}
	}
	return ""
}

type route struct {
	endpoint string
	plain    bool
	serve    func(s *Server, r *request) *Answer
}

// route returns who answers r, or a route without an endpoint.
func (s *Server) route(r *request) route {
	if r.foreign {
		return s.foreignRoute(r)
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server":
		return route{"discovery", false, (*Server).discovery}
	case "/authorize":
		return route{"authorize", false, (*Server).authorize}
	case "/oauth2/authorize":
		return route{"authorize", true, (*Server).authorize}
	case "/choose":
		return route{"choose", false, (*Server).choose}
	case "/token":
		return route{"token", false, (*Server).token}
	case "/oauth2/token":
		return route{"token", true, (*Server).token}
	case "/userinfo":
		return route{"userinfo", false, (*Server).userinfo}
	case "/oauth2/user":
		return route{"userinfo", true, (*Server).userinfo}
	case "/jwks":
		return route{"jwks", false, (*Server).jwks}
	case "/revoke":
		return route{"revoke", false, (*Server).revokeToken}
	case "/oauth2/revoke":
		return route{"revoke", true, (*Server).revokeToken}
	case "/logout":
		return route{"logout", false, (*Server).logout}
	case "/oauth1/request_token":
		return route{"request_token", true, (*Server).requestToken}
	case "/oauth1/authorize":
		return route{"authorize", true, (*Server).authorize1}
	case "/oauth1/access_token":
		return route{"access_token", true, (*Server).accessToken}
	case "/oauth1/user":
		return route{"userinfo", true, (*Server).user1}
	}
	return route{"", false, (*Server).notFound}
}

func (s *Server) notFound(r *request) *Answer {
	a := r.answer(http.StatusNotFound, "404: the test service has no such page\n")
	a.Header.Set("Content-Type", "text/plain; charset=utf-8")
	return a
}

func (s *Server) serve(w http.ResponseWriter, hr *http.Request) {
	r := s.read(hr)
	rt := s.route(r)
	r.endpoint, r.plain = rt.endpoint, rt.plain

	s.mu.Lock()
	s.requests[r.endpoint]++
	h, status, faults := s.holds[r.endpoint], s.failing[r.endpoint], s.faults
	if s.watching {
		s.saw = append(s.saw, sighting{host: r.Host, text: r.everything()})
	}
	s.mu.Unlock()

	if h != nil && !h.wait(hr) {
		return
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	if faults != nil && faults(r, w) {
		return
	}
	if s.Intercept != nil && s.Intercept(w, hr) {
		return
	}
	a := rt.serve(s, r)
	a.Endpoint = r.endpoint
	if s.Alter != nil {
		s.Alter(a)
	}
	a.write(w)
}

// everything is all that a request carries, for Run to look for secrets in.
func (r *request) everything() string {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var b strings.Builder
	b.WriteString(r.URL.String())
	r.Header.Write(&b)
	b.Write(body)
	return b.String()
}

// A sighting is a request as it came.
type sighting struct{ host, text string }
