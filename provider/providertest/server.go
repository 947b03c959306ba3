package providertest

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// What an application is registered as with a [Server].
const (
	// ClientID and ClientSecret are the application's name and password. They
	// are the consumer key and secret of OAuth 1.0a, too.
	ClientID     = "test-client"
	ClientSecret = "test-client-secret-+/%:&= 9f2c"

	// PublicClientID is an application without a secret. It must use PKCE.
	PublicClientID = "test-public-client"
)

// A Server is a service made for tests: it speaks OAuth 2.0, OpenID Connect
// and OAuth 1.0a, and can be told to misbehave. It also runs outside of tests,
// with a page on which a person chooses who to be: the bundled example uses it.
//
// It is strict: it refuses what a careful service refuses, such as a code used
// twice or a wrong PKCE verifier. It knows one application, [ClientID].
//
// Its endpoints are named "authorize", "token", "userinfo", "jwks",
// "discovery", "revoke" and "logout" and, for OAuth 1.0a, "request_token" and
// "access_token".
//
// The fields may be set before and between logins. While logins run, use the
// methods, which are safe for concurrent use.
type Server struct {
	*httptest.Server

	// Profile is what the service says of whoever logs in next: anything that
	// becomes a JSON object, best with the claims of OpenID Connect, such as
	// "sub" and "name". If nil, it is someone made up.
	Profile any

	// Deny makes the next person say no, and each one after, while it is set.
	Deny bool

	// Intercept, if not nil, sees every request that [Server.Hold] and
	// [Server.Fail] let through, before the Server does, and returns true if it
	// has answered it. A request made through [Server.Transport] has the Host
	// that it was made for. It must be safe for concurrent use.
	Intercept func(w http.ResponseWriter, r *http.Request) bool

	// Alter, if not nil, may change each answer before it is sent, refusals
	// too. It must be safe for concurrent use.
	Alter func(a *Answer)

	// Claims, if not nil, may change the claims of each ID token before it is
	// signed. It must be safe for concurrent use.
	Claims func(claims map[string]any)

	// Now is time.Now if nil. It must be safe for concurrent use.
	Now func() time.Time

	page bool // people choose who to be
	keys *keyring
	csrf *http.CrossOriginProtection

	mu       sync.Mutex
	requests map[string]int
	failing  map[string]int
	holds    map[string]*hold
	pending  map[string]*pending
	codes    map[string]*grant
	access   map[string]*access
	refresh  map[string]*grant
	issuers  map[string]string // by host, as announced in metadata
	temps    map[string]*temporary
	nonces   map[string]time.Time
	client   string // that logged someone in last

	// What Run needs beside: faults answers a request in place of its endpoint,
	// and while watching is true every request and every secret is noted.
	faults   func(r *request, w http.ResponseWriter) bool
	watching bool
	saw      []sighting
	given    []string
}

// NewServer starts a Server that stops with the test and lets whoever comes in
// as Profile says, without a page.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s, err := start("127.0.0.1:0", new(keyring), false)
	if err != nil {
		t.Fatalf("providertest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a Server outside of tests, on loopback, with a page on which
// people choose who to be.
//
// Its port, and so its issuer, is another one each time. An app that keeps its
// users wants [StartAt].
func Start() (*Server, error) { return StartAt("127.0.0.1:0") }

// StartAt is like [Start] at a fixed address, such as "127.0.0.1:5001", so that
// the service has the same issuer when the program is started again. An address
// that is not loopback is an error: anyone may be anyone at this service.
func StartAt(addr string) (*Server, error) { return start(addr, new(keyring), true) }

func start(addr string, keys *keyring, page bool) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address of the test service: %w", err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("address of the test service: want loopback, such as 127.0.0.1:0, got host %q", host)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start the test service: %w", err)
	}
	s := &Server{
		page:     page,
		keys:     keys,
		csrf:     http.NewCrossOriginProtection(),
		requests: map[string]int{},
		failing:  map[string]int{},
		holds:    map[string]*hold{},
		pending:  map[string]*pending{},
		codes:    map[string]*grant{},
		access:   map[string]*access{},
		refresh:  map[string]*grant{},
		issuers:  map[string]string{},
		temps:    map[string]*temporary{},
		nonces:   map[string]time.Time{},
	}
	s.Server = &httptest.Server{
		Listener: l,
		Config:   &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second},
	}
	s.Server.Start()
	return s, nil
}

// Close lets go of every request that is held, and stops the Server.
func (s *Server) Close() {
	s.mu.Lock()
	for endpoint, h := range s.holds {
		h.release()
		delete(s.holds, endpoint)
	}
	s.mu.Unlock()
	s.Server.Close()
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// secret returns an unguessable value whose beginning says what it is.
// secret is in lower case, as that of some services is, so that it could pass
// for a word in a log.
func secret(kind string) string { return kind + "-2" + strings.ToLower(rand.Text()) }

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
