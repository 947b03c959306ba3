package session

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultName       = "session"
	defaultCache      = time.Second
	defaultLifetime   = 30 * 24 * time.Hour
	defaultIdle       = 7 * 24 * time.Hour
	defaultMaxPerUser = 100

	maxName       = 64
	maxCache      = 10 * time.Second
	maxOldSecrets = 4
	askTimeout    = 5 * time.Second
	maxAhead      = 5 * time.Minute // how far another machine's clock may be ahead
)

// A Manager begins, finds and ends sessions. It is safe for concurrent use.
type Manager struct {
	cfg  Config  // with its defaults, and without its secrets
	keys []*keys // of Secret, then of OldSecrets

	cookie, rememberCookie, flowPrefix, postCookie string // names
	attributes, sessionAttributes                  string // see attributesOf

	epoch    time.Time // elapsed times are counted from here, so that they are monotonic
	cache    *cache    // nil: ask the store every time
	touches  *touches
	sweep    atomic.Int64 // elapsed time at which Begin next removes what is over
	noValues error        // why Store can keep no values, if it cannot
	inSteps  atomic.Bool  // the store was found to be no store.SessionReplacer

	uncounted atomic.Bool // the store was found to be no store.SessionCounter

	patience patience // with the store
	rooms    sync.Pool
}

// New returns a Manager, or every mistake in cfg, joined. It does no I/O.
func New(cfg Config) (*Manager, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	host := cfg.prefix() + cfg.Name
	m := &Manager{
		cookie:            cfg.sessionPrefix() + cfg.Name,
		rememberCookie:    cfg.sessionPrefix() + cfg.Name + "-remember",
		flowPrefix:        host + "-flow-",
		postCookie:        host + "-post",
		attributes:        cfg.attributes(),
		sessionAttributes: cfg.sessionAttributes(),
		epoch:             cfg.Now(),
		touches:           newTouches(),
		rooms:             sync.Pool{New: func() any { return new([roomSize]byte) }},
	}
	for _, secret := range append([]string{cfg.Secret}, cfg.OldSecrets...) {
		k, err := newKeys(secret, cfg.Audience)
		if err != nil {
			return nil, err
		}
		m.keys = append(m.keys, k)
	}
	cfg.CarryOver = slices.Clone(cfg.CarryOver)
	cfg.Secret, cfg.OldSecrets = "", nil // only keys are needed from here on
	if cfg.Cache > 0 {
		m.cache = newCache(cfg.Cache)
	}
	m.noValues = noValues(cfg.Store)
	m.sweep.Store(int64(firstSweep))
	m.cfg = cfg
	m.watchStores()
	return m, nil
}

func (cfg *Config) setDefaults() {
	if cfg.Name == "" {
		cfg.Name = defaultName
	}
	if cfg.Cache == 0 {
		cfg.Cache = defaultCache
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = defaultLifetime
	}
	if cfg.Idle == 0 {
		cfg.Idle = max(min(defaultIdle, cfg.Lifetime), 1) // if Lifetime is wrong, that alone is said
	}
	if cfg.MaxPerUser == 0 {
		cfg.MaxPerUser = defaultMaxPerUser
	}
	if cfg.SameSite == 0 {
		cfg.SameSite = http.SameSiteLaxMode
	}
	cfg.Header = http.CanonicalHeaderKey(cfg.Header)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = connectionIP
	}
	cfg.setRemembers()
}

// check expects the defaults to be filled in.
func (cfg *Config) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("session: "+format, args...))
	}
	if cfg.Store == nil {
		wrong("Store: required")
	}
	errs = append(errs, checkSecrets(cfg.Secret, cfg.OldSecrets)...)
	switch {
	case len(cfg.Name) > maxName || strings.ContainsFunc(cfg.Name, notToken):
		wrong("Name: want at most %d letters, digits and hyphens, as in a cookie's name", maxName)
	case strings.HasPrefix(strings.ToLower(cfg.Name), "__host-"), strings.HasPrefix(strings.ToLower(cfg.Name), "__secure-"):
		wrong("Name: want it without the prefix, which is put before it unless Insecure is set")
	case strings.Contains(cfg.Name, "-flow-"), strings.HasSuffix(cfg.Name, "-post"), strings.HasSuffix(cfg.Name, "-remember"):
		wrong(`Name: want it without "-flow-" and a final "-post" or "-remember", which are the names of other cookies`)
	}
	if cfg.Cache > maxCache {
		wrong("Cache: want at most %v, because a session ended elsewhere lives on for so long; got %v", maxCache, cfg.Cache)
	}
	if cfg.Lifetime <= 0 {
		wrong("Lifetime: want more than zero, got %v", cfg.Lifetime)
	}
	if cfg.Idle <= 0 {
		wrong("Idle: want more than zero, got %v", cfg.Idle)
	}
	if cfg.Idle > cfg.Lifetime && cfg.Lifetime > 0 {
		wrong("Idle: want at most Lifetime, %v; got %v", cfg.Lifetime, cfg.Idle)
	}
	if cfg.MaxPerUser < 0 {
		wrong("MaxPerUser: want more than zero, got %d", cfg.MaxPerUser)
	}
	if cfg.Addresses > DropAddress {
		wrong("Addresses: want KeepAddress, TruncateAddress or DropAddress; got %d", cfg.Addresses)
	}
	cfg.checkAttributes(wrong)
	cfg.checkHeader(wrong)
	cfg.checkRemember(wrong)
	checkCarryOver(cfg.CarryOver, wrong)
	if cfg.Store != nil && len(cfg.CarryOver) > 0 && noValues(cfg.Store) != nil {
		wrong("CarryOver: %T keeps no values with sessions", cfg.Store)
	}
	return errors.Join(errs...)
}

// notToken reports whether a cookie's name must not contain c (RFC 9110
// section 5.6.2).
func notToken(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

func connectionIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// elapsed is the age of m at now. It is not moved by a change of the machine's
// clock, if Config.Now is time.Now.
func (m *Manager) elapsed(now time.Time) time.Duration { return now.Sub(m.epoch) }
