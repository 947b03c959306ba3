package providertest

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
)

// An Answer is what a [Server] is about to say. [Server.Alter] may change
// Status, Header and Body.
type Answer struct {
	Endpoint string         // "token", for example
	Request  *http.Request  // its body can be read again
	Person   map[string]any // the claims of the person it is about; nil if it is about nobody

	Status int
	Header http.Header

	// Body is a map[string]any for JSON, url.Values for a form, and a string
	// or []byte for anything else. In the answer that sends a person back to
	// the app it is the url.Values that the app's callback gets. A Body of
	// another type is sent as JSON.
	Body any

	to   string // where the browser is sent with Body
	post bool   // by a form that posts itself
}

func (r *request) answer(status int, body any) *Answer {
	return &Answer{Request: r.Request, Status: status, Header: http.Header{}, Body: body}
}

// back sends the browser to the app with params.
func (r *request) back(to string, post bool, params url.Values) *Answer {
	a := r.answer(http.StatusSeeOther, params)
	a.to, a.post = to, post
	return a
}

// refuse is an error as RFC 6749 section 5.2 has it.
func (r *request) refuse(status int, code, description string) *Answer {
	return r.answer(status, map[string]any{"error": code, "error_description": description})
}

// write sends a. Whatever Alter has made of it, nothing may be kept by a cache.
func (a *Answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	body, kind := a.encode(h)
	for name, values := range a.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if h.Get("Content-Type") == "" && kind != "" {
		h.Set("Content-Type", kind)
	}
	w.WriteHeader(a.Status)
	w.Write(body)
}

func (a *Answer) encode(h http.Header) (body []byte, kind string) {
	switch b := a.Body.(type) {
	case nil:
		return nil, ""
	case string:
		return []byte(b), ""
	case []byte:
		return b, ""
	case url.Values:
		if a.to == "" {
			return []byte(b.Encode()), "application/x-www-form-urlencoded"
		}
		if a.post {
			a.Status = http.StatusOK
			return postForm(h, a.to, b), "text/html; charset=utf-8"
		}
		h.Set("Location", addQuery(a.to, b))
		return nil, ""
	}
	b, err := json.Marshal(a.Body)
	if err != nil {
		a.Status = http.StatusInternalServerError
		return []byte("the test service was given a body that is no JSON: " + err.Error()), "text/plain; charset=utf-8"
	}
	return b, "application/json"
}

// addQuery adds params to a URL that may have a query already, which stays as
// it is (RFC 6749 section 3.1.2).
func addQuery(to string, params url.Values) string {
	u, err := url.Parse(to)
	if err != nil {
		return to
	}
	if u.RawQuery != "" && len(params) > 0 {
		u.RawQuery += "&"
	}
	u.RawQuery += params.Encode()
	return u.String()
}

// postForm is the page that sends params to the app by POST
// (OAuth 2.0 Form Post Response Mode).
func postForm(h http.Header, to string, params url.Values) []byte {
	nonce := secret("n")
	policy(h, "script-src 'nonce-"+nonce+"'; form-action "+origin(to))
	var b bytes.Buffer
	template.Must(template.New("post").Parse(postPage)).Execute(&b, map[string]any{"To": to, "Params": params, "Nonce": nonce})
	return b.Bytes()
}

func policy(h http.Header, more string) {
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; "+more)
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("X-Frame-Options", "DENY")
}

func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "'none'"
	}
	return u.Scheme + "://" + u.Host
}
