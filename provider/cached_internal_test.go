package provider

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"
)

// These tests are internal because no timing from outside can put one caller
// between two steps of another, and because a key that is left out shows only by
// its absence.

// Who saw the old value gets the new one without a load of its own, however
// late it asks.
func TestCachedAgainAfterAnother(t *testing.T) {
	loads := 0
	c := &cached[int]{now: time.Now, fresh: time.Hour, keep: 24 * time.Hour, load: func(context.Context) (int, error) {
		loads++
		return loads, nil
	}}
	if v, _, err := c.get(t.Context()); v != 1 || err != nil {
		t.Fatal(v, err)
	}
	_, turn, _ := c.get(t.Context())
	for range 3 {
		if v, ok, err := c.again(t.Context(), turn); v != 2 || !ok || err != nil {
			t.Errorf("got %d, %v, %v, want the second value", v, ok, err)
		}
	}
	_, turn, _ = c.get(t.Context())
	if _, ok, err := c.again(t.Context(), turn); ok || err != nil {
		t.Errorf("got %v, %v within a minute, want neither a value nor an error", ok, err)
	}
	if loads != 2 {
		t.Errorf("got %d loads, want 2", loads)
	}
}

// A parser that panics is an error, and the next load works.
func TestCachedPanic(t *testing.T) {
	now := time.Now()
	bad := true
	c := &cached[int]{now: func() time.Time { return now }, fresh: time.Hour, keep: time.Hour, load: func(context.Context) (int, error) {
		if bad {
			panic("broken")
		}
		return 1, nil
	}}
	if _, _, err := c.get(t.Context()); err == nil {
		t.Error("got no error")
	}
	bad = false
	now = now.Add(firstPause)
	if v, _, err := c.get(t.Context()); v != 1 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

// Success ends the growth of pauses.
func TestCachedPauseStartsAnew(t *testing.T) {
	now, fail := time.Now(), true
	c := &cached[int]{now: func() time.Time { return now }, fresh: time.Second, keep: 24 * time.Hour, load: func(context.Context) (int, error) {
		if fail {
			return 0, errors.New("down")
		}
		return 1, nil
	}}
	for range 4 {
		c.get(t.Context())
		now = now.Add(lastPause)
	}
	fail = false
	if _, _, err := c.get(t.Context()); err != nil {
		t.Fatal(err)
	}
	fail = true
	now = now.Add(time.Minute)
	c.get(t.Context())
	if got := c.resumeAt.Sub(now); got <= 0 || got > firstPause {
		t.Errorf("got a pause of %v after the first failure, want at most %v", got, firstPause)
	}
}

func TestPause(t *testing.T) {
	for failures, most := range map[int]time.Duration{
		1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 4: 40 * time.Second, 5: time.Minute, 1000: time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 200 {
			d := pause(failures)
			if d > most || d < most*3/4 {
				t.Errorf("after %d failures: got %v, want %v less a quarter at most", failures, d, most)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d failures: got %d different pauses, want them spread", failures, len(seen))
		}
	}
}

func TestParseKeyLeavesOut(t *testing.T) {
	modulus := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits)
		return n.Sub(n, big.NewInt(1))
	}
	tests := []struct {
		bits uint
		e    int64
		ok   bool
	}{
		{2048, 65537, true}, {2048, 3, true}, {4096, 65537, true},
		{2047, 65537, false}, {512, 65537, false}, {4097, 65537, false},
		{2048, 1, false}, {2048, 2, false}, {2048, 65536, false},
	}
	for _, tt := range tests {
		raw := fmt.Appendf(nil, `{"kty":"RSA","n":%q,"e":%q}`,
			base64.RawURLEncoding.EncodeToString(modulus(tt.bits).Bytes()),
			base64.RawURLEncoding.EncodeToString(big.NewInt(tt.e).Bytes()))
		if _, ok := parseKey(raw); ok != tt.ok {
			t.Errorf("%d bits, exponent %d: got %v, want %v", tt.bits, tt.e, ok, tt.ok)
		}
	}
}
