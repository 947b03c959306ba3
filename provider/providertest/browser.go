package providertest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Authorize does what the browser of whoever comes in does with a
// [provider.Redirect]: it asks the service and returns the parameters with
// which the service sends it back to the app, in the URL or in a posted form.
// Nobody is shown a page.
func (s *Server) Authorize(redirectURL string) (url.Values, error) {
	b, err := s.browse(redirectURL, visitor{})
	return b.params, err
}

// AuthorizeAs is [Server.Authorize] for a person with that profile, so that
// different people can log in at once.
func (s *Server) AuthorizeAs(redirectURL string, profile any) (url.Values, error) {
	b, err := s.browse(redirectURL, visitor{profile: profile, chosen: true})
	return b.params, err
}

// A back is where a service sent a browser, and with what.
type back struct {
	to     *url.URL
	params url.Values
	posted bool
}

func (s *Server) browse(to string, as visitor) (back, error) {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return back{}, errors.New("authorize: the URL is not absolute")
	}
	r := httptest.NewRequestWithContext(context.WithValue(context.Background(), personKey{}, as), http.MethodGet, u.RequestURI(), nil)
	r.Host = u.Host
	r.Header.Set(schemeHeader, u.Scheme)
	w := httptest.NewRecorder()
	s.serve(w, r)
	resp := w.Result()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		u, err := url.Parse(resp.Header.Get("Location"))
		if err != nil {
			return back{}, errors.New("authorize: the service sent the browser to something that is no URL")
		}
		params, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return back{}, errors.New("authorize: the service sent the browser back with a malformed query")
		}
		return back{to: u, params: params}, nil
	case resp.StatusCode == http.StatusOK:
		return posted(w.Body.String())
	}
	return back{}, fmt.Errorf("authorize: the service answered %s and sent the browser nowhere: %s", resp.Status, plea(w.Body.String()))
}

// posted reads postPage, as a browser does that has scripts.
func posted(page string) (back, error) {
	params := url.Values{}
	var to *url.URL
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, `<form id="back" method="post" action="`); ok {
			action, _, _ := strings.Cut(rest, `"`)
			u, err := url.Parse(html.UnescapeString(action))
			if err != nil {
				return back{}, errors.New("authorize: the service's form leads to something that is no URL")
			}
			to = u
		}
		if rest, ok := strings.CutPrefix(line, `<input type="hidden" name="`); ok {
			name, rest, _ := strings.Cut(rest, `" value="`)
			value, _, _ := strings.Cut(rest, `"`)
			params.Add(html.UnescapeString(name), html.UnescapeString(value))
		}
	}
	if to == nil {
		return back{}, errors.New("authorize: the service sent the browser nowhere")
	}
	return back{to: to, params: params, posted: true}, nil
}

// plea is what the service's page says went wrong.
func plea(page string) string {
	_, rest, ok := strings.Cut(page, `role="alert">`)
	if !ok {
		return "no reason is given"
	}
	text, _, _ := strings.Cut(rest, "<")
	return html.UnescapeString(text)
}
