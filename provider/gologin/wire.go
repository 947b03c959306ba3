package gologin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/dghubble/oauth1"
	"golang.org/x/oauth2"
)

var (
	errTwice = errors.New("chain asked for a second token")
	errForm  = errors.New("chain sent a token request that is not a form")
)

// A wire carries the requests of one login. It stands under the chain, which
// knows nothing of it, and gives it what gologin leaves out: the PKCE verifier,
// the login's context in every request, the library's limits, and no redirects.
// It also notes how far the login came, because the texts of the chain's
// own errors cannot be shown.
type wire struct {
	ctx      context.Context
	client   *http.Client // with the library's limits
	tokenURL string
	verifier string // added to the token request unless empty

	mu        sync.Mutex
	asked     bool  // for the token
	exchanged bool  // the token endpoint answered 2xx
	onward    bool  // something else was asked for then
	failure   error // of the latest request, nil if it was answered 2xx
}

// httpClient returns a client that sends everything by w.
func (w *wire) httpClient() *http.Client { return &http.Client{Transport: w} }

// context returns the login's context, with a client for x/oauth2 and for
// dghubble/oauth1 that sends everything by w.
func (w *wire) context() context.Context {
	ctx := context.WithValue(w.ctx, oauth2.HTTPClient, w.httpClient())
	return context.WithValue(ctx, oauth1.HTTPClient, w.httpClient())
}

// got reports whether a token came by this wire.
func (w *wire) got() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.exchanged
}

// RoundTrip implements [http.RoundTripper].
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	token := w.isToken(req)
	resp, err := w.send(req, token)

	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure = err
	if err == nil && (resp.StatusCode < 200 || resp.StatusCode > 299) {
		w.failure = &statusError{req.URL.Hostname(), resp.StatusCode}
	}
	switch {
	case !token:
		w.onward = w.exchanged
	case w.failure == nil:
		w.exchanged = true
	}
	return resp, err
}

func (w *wire) send(req *http.Request, token bool) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(w.ctx, cancel)
	release := func() { stop(); cancel() }

	out := req.Clone(ctx)
	if token {
		if err := w.prepare(out); err != nil {
			release()
			closeBody(req)
			return nil, err
		}
	}
	// The client, not its Transport, so that its time limit counts as well. A
	// redirect comes back as what it is, to be named as such.
	client := *w.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(out)
	if err != nil {
		release()
		return nil, w.cause(err)
	}
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		resp.Body.Close()
		release()
		return nil, errRedirect
	}
	resp.Body = &body{resp.Body, w, release}
	return resp, nil
}

// isToken reports whether req asks the token endpoint for a token.
func (w *wire) isToken(req *http.Request) bool {
	return req.Method == http.MethodPost && req.URL.String() == w.tokenURL
}

// prepare lets one token request pass, with the verifier. A second one would be
// an exchange that is tried twice, or a renewal whose result is lost.
func (w *wire) prepare(req *http.Request) error {
	w.mu.Lock()
	twice := w.asked
	w.asked = true
	w.mu.Unlock()
	if twice {
		return errTwice
	}
	if w.verifier == "" {
		return nil
	}
	if req.Body == nil || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return errForm
	}
	text, err := io.ReadAll(io.LimitReader(req.Body, 1<<16))
	req.Body.Close()
	if err != nil {
		return errForm
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return errForm
	}
	form.Set("code_verifier", w.verifier)
	encoded := form.Encode()
	req.ContentLength = int64(len(encoded))
	req.Body = io.NopCloser(strings.NewReader(encoded))
	req.GetBody = nil // a request that carries the code is never sent again
	return nil
}

// cause says why there is no answer: because the login's own context ended, or
// in words that quote neither URL nor body.
func (w *wire) cause(err error) error {
	if ended := context.Cause(w.ctx); ended != nil {
		return plain(ended)
	}
	return plain(err)
}

// progress returns in which step the login is, and why its latest request failed.
func (w *wire) progress() (op string, failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.onward {
		return "profile", w.failure
	}
	return "exchange", w.failure
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// A body ends the request's context when it is closed, and notes what kept it
// from being read.
type body struct {
	io.ReadCloser
	wire    *wire
	release func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.wire.cause(err)
		b.wire.mu.Lock()
		b.wire.failure = err
		b.wire.mu.Unlock()
	}
	return n, err
}

func (b *body) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}
