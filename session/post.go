package session

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	postLife       = time.Minute
	maxCode        = 2048
	maxUser        = 1024
	maxDescription = 256

	postMiddle = "post-"

	postWhole = 0x80 // in place of which texts are there: all are, with their names
)

// postTexts lists what is kept of a posted callback, in the order in which it
// is written. What is too long and can be done without is left out.
var postTexts = [...]struct {
	name     string
	limit    int
	optional bool
}{
	{"code", maxCode, false},
	{"iss", maxDescription, false},
	{"error", maxDescription, false},
	{"error_description", maxDescription, true},
	{"user", maxUser, true},
}

// KeepPost seals what a service posted to a callback into a cookie, for a
// minute. The browser sends no cookie of ours along with such a request, which
// comes from another site; so answer it with a redirect to the same path, with
// the state as its only parameter, where [Manager.TakePost] finds the rest.
//
// It keeps code, state, iss, error, error_description and user, and sets no
// cookie if one of them is given twice, if the state is not one that NewState
// made, or if they are too long. Such an error is an ErrFlow.
func (m *Manager) KeepPost(w http.ResponseWriter, _ *http.Request, params url.Values) error {
	fail := func(reason string) error { return &Error{Op: "post", Reason: reason, Err: ErrFlow} }
	for _, values := range params {
		if len(values) > 1 {
			return fail("duplicate_param")
		}
	}
	state := params.Get("state")
	if reason := badState(state); reason != "" {
		return fail(reason)
	}
	kept := url.Values{}
	for _, t := range postTexts {
		switch values := params[t.name]; {
		case len(values) == 0:
		case len(values[0]) <= t.limit:
			kept[t.name] = values
		case !t.optional:
			return fail("too_long")
		}
	}
	now := m.cfg.Now()
	sealed, err := m.seal(nil, "post", now, m.postAAD(state), encodePost(kept, now))
	for i := len(postTexts) - 1; errors.Is(err, errTooLong) && postTexts[i].optional; i-- {
		delete(kept, postTexts[i].name)
		sealed, err = m.seal(nil, "post", now, m.postAAD(state), encodePost(kept, now))
	}
	if err != nil {
		return fail("too_long")
	}
	m.setSealed(w, m.postCookie, sealed, postLife)
	return nil
}

// KeepCallback is KeepPost for a callback that came by GET, for an app whose
// session's cookie is [http.SameSiteStrictMode]: the browser sends that one not
// even along with a link from another site. It keeps every parameter, as long as
// all of them fit into a cookie.
//
// The browser's flows come along with such a link, so that each has a cookie of
// its own and tabs do not disturb each other. A login that the request has no flow
// of, and one for whose cookie there is no room, have to do with the one that
// KeepPost sets: nobody can fill a browser's cookies by links.
func (m *Manager) KeepCallback(w http.ResponseWriter, r *http.Request, params url.Values) error {
	fail := func(reason string) error { return &Error{Op: "post", Reason: reason, Err: ErrFlow} }
	state := params.Get("state")
	if reason := badState(state); reason != "" {
		return fail(reason)
	}
	now := m.cfg.Now()
	b := append(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), postWhole)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params.Get(name)
		switch {
		case len(params[name]) > 1:
			return fail("duplicate_param")
		case len(name)+len(value) > maxSealed:
			return fail("too_long")
		case name != "state":
			b = appendText(appendText(b, name), value)
		}
	}
	sealed, err := m.seal(nil, "post", now, m.postAAD(state), b)
	if err != nil {
		return fail("too_long")
	}
	m.setSealed(w, m.postNameFor(r, state, b64.EncodedLen(len(sealed))), sealed, postLife)
	return nil
}

// postNameFor returns under which name so many characters are kept for that login.
func (m *Manager) postNameFor(r *http.Request, state string, chars int) string {
	own := m.postName(state)
	if _, n := findCookie(r, m.flowName(state)); n != 1 {
		return m.postCookie
	}
	used := size(own, chars)
	eachCookie(r, m.flowPrefix, func(name, value string) bool {
		if name != own {
			used += size(name, len(value))
		}
		return used <= flowsBudget
	})
	if used > flowsBudget {
		return m.postCookie
	}
	return own
}

// postName is the name of what is kept for one login: that of its flow, with a
// word in it, which makes it longer than any flow's.
func (m *Manager) postName(state string) string {
	return m.flowPrefix + postMiddle + m.flowName(state)[len(m.flowPrefix):]
}

func (m *Manager) isPost(name string) bool {
	return len(name) == len(m.flowPrefix)+len(postMiddle)+flowNameText && strings.HasPrefix(name[len(m.flowPrefix):], postMiddle)
}

// TakePost returns what KeepPost or KeepCallback kept for that state, and forgets
// it. If there is nothing, the error is an ErrFlow. If the login cannot be finished
// now, as when the store fails, whichever it was keeps it for another try.
func (m *Manager) TakePost(w http.ResponseWriter, r *http.Request, state string) (url.Values, error) {
	reason := badState(state)
	if reason == "" {
		var params url.Values
		if params, reason = m.takePost(w, r, m.postCookie, state); reason == "" {
			return params, nil
		}
		if own, why := m.takePost(w, r, m.postName(state), state); why == "" {
			return own, nil
		} else if why != "post_missing" {
			reason = why
		}
	}
	return nil, &Error{Op: "post", Reason: reason, Err: ErrFlow}
}

// takePost is TakePost for a cookie of that name. It returns why there is
// nothing, or "".
func (m *Manager) takePost(w http.ResponseWriter, r *http.Request, name, state string) (params url.Values, reason string) {
	value, n := findCookie(r, name)
	switch n {
	case 0:
		return nil, "post_missing"
	case 2:
		return nil, "post_duplicate"
	}
	now := m.cfg.Now()
	plain, ok := m.open("post", now, m.postAAD(state), value)
	if !ok {
		return nil, "post_invalid"
	}
	params, kept, ok := decodePost(plain)
	if !ok || kept.After(now.Add(flowSkew)) {
		return nil, "post_invalid"
	}
	m.expireCookie(w, name)
	if now.Sub(kept) > postLife {
		return nil, "post_expired"
	}
	params.Set("state", state)
	return params, ""
}

// postAAD binds what was posted to its login.
func (m *Manager) postAAD(state string) []byte {
	sum := sha256.Sum256([]byte(state))
	return append([]byte("gatepass post v1\x00"+m.postCookie+"\x00"+m.cfg.Audience+"\x00"), sum[:]...)
}

// encodePost writes the time, which texts are there, and those.
func encodePost(params url.Values, now time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	b = append(b, 0)
	for i, t := range postTexts {
		if params.Has(t.name) {
			b[8] |= 1 << i
			b = appendText(b, params.Get(t.name))
		}
	}
	return b
}

func decodePost(b []byte) (params url.Values, kept time.Time, ok bool) {
	if len(b) < 9 || b[8] != postWhole && b[8]>>len(postTexts) != 0 {
		return nil, time.Time{}, false
	}
	kept = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	there, b := b[8], b[9:]
	params = url.Values{}
	if there == postWhole {
		for len(b) > 0 {
			var name, value string
			if name, b, ok = cutText(b); ok {
				value, b, ok = cutText(b)
			}
			if !ok {
				return nil, time.Time{}, false
			}
			params.Set(name, value)
		}
		return params, kept, true
	}
	for i, t := range postTexts {
		if there>>i&1 == 0 {
			continue
		}
		var s string
		if s, b, ok = cutText(b); !ok || len(s) > t.limit {
			return nil, time.Time{}, false
		}
		params.Set(t.name, s)
	}
	return params, kept, len(b) == 0
}
