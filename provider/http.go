package provider

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// The limits of every request to a service. An answer larger than maxBody is an
// error, not cut: x/oauth2 reads a mebibyte and stops without one, so ours is
// below that.
const (
	connectTimeout = 3 * time.Second
	headerTimeout  = 5 * time.Second
	totalTimeout   = 10 * time.Second
	maxBody        = 1_000_000
	maxAPIBody     = 10_000_000
	maxHeaders     = 64 << 10
	maxInFlight    = 64
	userAgent      = "gatepass (+https://github.com/gatepass/gatepass)"
)

var (
	errRedirect = errors.New("the service answered with a redirect, which is not followed")
	errTooLarge = errors.New("the answer is too large")
	errNotHTTPS = errors.New("the URL is neither https nor http to a loopback address")
	errNoHost   = errors.New("the URL has no host")

	errForeignHost = errors.New("the token is not sent to this host")
)

// newHTTPClient returns the client for all that a provider asks its service.
// It follows no redirect: a code, a secret or a token would go with it.
func newHTTPClient(o options) *http.Client {
	base := http.RoundTripper(newTransport(nil))
	timeout := totalTimeout
	if o.client != nil {
		switch t := o.client.Transport.(type) {
		case nil:
		case *http.Transport:
			base = newTransport(t)
		default:
			base = t
		}
		if o.client.Timeout > 0 {
			timeout = o.client.Timeout
		}
	}
	return &http.Client{
		Transport:     &limits{base: base, slots: newSlots(), apiSlots: newSlots(), max: maxBody},
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
}

// newTransport returns a copy of t, or a new transport, with every limit that t
// leaves open.
func newTransport(t *http.Transport) *http.Transport {
	if t == nil {
		t = &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DialContext:       (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2: true,
			IdleConnTimeout:   90 * time.Second,
			MaxIdleConns:      maxInFlight,
			// The connections to one service are few, but not two.
			MaxIdleConnsPerHost: 8,
		}
	} else {
		t = t.Clone()
	}
	if t.TLSHandshakeTimeout == 0 {
		t.TLSHandshakeTimeout = connectTimeout
	}
	if t.ResponseHeaderTimeout == 0 {
		t.ResponseHeaderTimeout = headerTimeout
	}
	if t.MaxResponseHeaderBytes == 0 || t.MaxResponseHeaderBytes > maxHeaders {
		t.MaxResponseHeaderBytes = maxHeaders
	}
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	} else if v := t.TLSClientConfig.MinVersion; v != 0 && v < tls.VersionTLS12 {
		t.TLSClientConfig.MinVersion = tls.VersionTLS12
	}
	return t
}

// limits is a RoundTripper that holds every request to the rules that no
// setting turns off.
type limits struct {
	base  http.RoundTripper
	slots chan struct{} // one for each request in flight, so that a service that hangs holds up no other
	max   int64         // bytes of a decompressed body

	apiSlots chan struct{} // slots of what the app asks in a person's name
}

func newSlots() chan struct{} { return make(chan struct{}, maxInFlight) }

func (l *limits) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkHTTPS(req.URL); err != nil {
		closeBody(req)
		return nil, err
	}
	select {
	case l.slots <- struct{}{}:
	case <-req.Context().Done():
		closeBody(req)
		return nil, req.Context().Err()
	}
	body := &limitedBody{left: l.max, slots: l.slots}
	// Whoever forgets to close a body must not stop all later logins.
	body.stop = context.AfterFunc(req.Context(), body.free)
	if req.Header.Get("User-Agent") == "" {
		header := req.Header.Clone()
		if header == nil {
			header = make(http.Header)
		}
		header.Set("User-Agent", userAgent)
		req = req.WithContext(req.Context()) // a RoundTripper changes no request of others
		req.Header = header
	}
	res, err := l.base.RoundTrip(req)
	if err != nil {
		body.stop()
		body.free()
		return nil, err
	}
	body.ReadCloser = res.Body
	res.Body = body
	return res, nil
}

// limitedBody ends with errTooLarge where [io.LimitedReader] would end as if all
// had been read.
type limitedBody struct {
	io.ReadCloser
	left  int64
	slots chan struct{} // of which the request has one
	freed atomic.Bool
	stop  func() bool
}

// free gives the request's slot back, once.
func (b *limitedBody) free() {
	if b.freed.CompareAndSwap(false, true) {
		<-b.slots
	}
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n + int(b.left), errTooLarge
	}
	return n, err
}

func (b *limitedBody) Close() error {
	defer b.free()
	defer b.stop()
	return b.ReadCloser.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// checkHTTPS allows http to this machine alone, where nobody listens in.
func checkHTTPS(u *url.URL) error {
	if u.Host == "" {
		return errNoHost
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return errNotHTTPS
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// fetch sends req and reads the answer, whatever its status. Its errors name
// the host at most.
func fetch(c *http.Client, req *http.Request) (status int, header http.Header, body []byte, err error) {
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, nil, cleanError(err)
	}
	defer res.Body.Close()
	body, err = readBody(res)
	if err != nil {
		return res.StatusCode, res.Header, nil, transportError(req.URL.Host, err)
	}
	return res.StatusCode, res.Header, body, nil
}

// readBody reads the whole of an answer. What the service says of its length is
// believed as far as it saves memory.
func readBody(res *http.Response) ([]byte, error) {
	size := res.ContentLength
	if size < 0 || size > 64<<10 {
		size = 2 << 10 // a token answer with an ID token
	}
	// The buffer wants room to find the end in.
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := b.ReadFrom(res.Body)
	return b.Bytes(), err
}

// cleanError returns err, unless somewhere in it is an error that prints a URL
// or what the service sent. Then it returns a new one that does not.
func cleanError(err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		host := ""
		if u, perr := url.Parse(ue.URL); perr == nil {
			host = u.Host
		}
		return transportError(host, ue.Err)
	}
	var re *oauth2.RetrieveError
	if errors.As(err, &re) {
		return fmt.Errorf("the service refused the token request: %q", safeCode(re.ErrorCode))
	}
	return err
}

// transportError says in words of ours why there is no answer. What net/http
// says may quote the answer.
func transportError(host string, err error) error {
	for _, own := range []error{errRedirect, errTooLarge, errNotHTTPS, errNoHost, errForeignHost} {
		if errors.Is(err, own) {
			return hostError(host, own)
		}
	}
	if errors.Is(err, context.Canceled) {
		return hostError(host, context.Canceled)
	}
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return hostError(host, fmt.Errorf("%w: %w", ErrUnavailable, context.DeadlineExceeded))
	}
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		op   *net.OpError
		why  = "no valid answer"
	)
	switch {
	case errors.As(err, &dns):
		why = "the host's name has no address"
	case errors.As(err, &cert):
		why = "the certificate is not valid: " + cert.Err.Error()
	case errors.As(err, &op) && op.Op == "dial":
		why = "no connection"
	case errors.As(err, &op), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		why = "the connection broke off"
	}
	return hostError(host, fmt.Errorf("%w: %s", ErrUnavailable, why))
}

func hostError(host string, err error) error {
	if host == "" {
		return err
	}
	return fmt.Errorf("%s: %w", host, err)
}
