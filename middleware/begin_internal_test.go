package middleware

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/gatepass/gatepass/provider"
)

func FuzzQueryValue(f *testing.F) {
	for _, s := range []string{
		"", "return_to=%2Fx", "a=1&return_to=/x&return_to=/y", "return%5Fto=/x", "return_to=%zz&return_to=/y", "return_to", "return_to=a;b", "&&=&return_to=+a+",
		"return_to=/x;y&return_to=/z", "%zz&return_to=/x", "return_to=%", "return_to==", "Return_To=/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		all, _ := url.ParseQuery(query) // what it could not read is left out
		for _, name := range []string{"return_to", "a"} {
			if got, want := queryValue(query, name), all.Get(name); got != want {
				t.Errorf("%q: got %q of %q, want %q", name, got, query, want)
			}
		}
	})
}

// A path that is taken as it stands must be what the reader of all paths makes of
// it.
func FuzzOnlyNames(f *testing.F) {
	for _, s := range []string{"/", "/there", "/a/b-c/D_9/", "//x", "/a//b", "/.", "/a.b", "/%41", "/a?b", "/a:b", "/~x", "/ä", "/a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s = "/" + strings.TrimPrefix(s, "/"); !onlyNames(s) {
			return
		}
		if p, clean, ok := readPath(s); !ok || p != s || clean != s {
			t.Errorf("%q: got %q, %q, %t", s, p, clean, ok)
		}
	})
}

func FuzzHasControl(f *testing.F) {
	for _, s := range []string{"", "a", "12345678", "\x7f", "1234567\x7f", "12345678\x1f", "\x00aaaaaaaaaaaaaaa", "aaaaaaa\taaaaaaaa", "ä\u0085äääääää", "\x80\xff\xfe\x81\x9f\x20\x21\x7e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ContainsFunc(s, func(c rune) bool { return c < 0x80 && unicode.IsControl(c) })
		if got := hasControl(s); got != want {
			t.Errorf("%q: got %t", s, got)
		}
	})
}

// What a provider says is judged each time, although its page is known to be
// good.
func TestRedirectIsJudgedEachTime(t *testing.T) {
	const page = "https://op.example/authorize"
	for _, tc := range []struct {
		redirect provider.Redirect
		good     bool
	}{
		{provider.Redirect{URL: page + "?state=2"}, true},
		{provider.Redirect{URL: page}, true},
		{provider.Redirect{URL: page + "?state=2#wechat_redirect"}, true},
		{provider.Redirect{URL: page + "?state=2#%zz"}, false},
		{provider.Redirect{URL: page + "?state=2\r\nSet-Cookie: a=b"}, false},
		{provider.Redirect{URL: page + "?state=2\x7f"}, false},
		{provider.Redirect{URL: page + "?state=2", Memo: strings.Repeat("m", maxMemo+1)}, false},
		{provider.Redirect{URL: "http" + page[len("https"):] + "?state=2"}, false},
		{provider.Redirect{URL: "https://ada@op.example/authorize?state=2"}, false},
		{provider.Redirect{URL: "/authorize?state=2"}, false},
		{provider.Redirect{URL: "https://other.example/authorize?state=2"}, true},
	} {
		e := &entry{}
		if err := e.checkRedirect(provider.Redirect{URL: page + "?state=1"}); err != nil {
			t.Fatal(err)
		}
		if err := e.checkRedirect(tc.redirect); (err == nil) != tc.good {
			t.Errorf("%q: got %v", tc.redirect.URL, err)
		}
		if kept := *e.page.Load(); strings.Contains(kept, "state") {
			t.Errorf("%q: kept %q", tc.redirect.URL, kept)
		}
	}
}

// What one login was sent to makes no difference to how the next is judged.
func FuzzRedirectAfterAnother(f *testing.F) {
	for _, s := range []string{"", "?a=b", "?a#b", "?a#%zz", "#x?y", "#x?%zz", "?\x01", "/x", "@x", ":80", "?a b", "?%zz", "?\xff", "\\x"} {
		f.Add("?a=b", s)
		f.Add("#x?y", s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const page = "https://op.example"
		used, unused := &entry{}, &entry{}
		_ = used.checkRedirect(provider.Redirect{URL: page + before}) // good or not
		to := provider.Redirect{URL: page + after}
		if got, want := used.checkRedirect(to), unused.checkRedirect(to); (got == nil) != (want == nil) {
			t.Errorf("%q after %q: got %v, want %v", after, before, got, want)
		}
	})
}

func TestDeadline(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		parent, leave := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
		d := &deadline{Context: parent, limit: 10 * time.Second}
		if d.Value(key{}) != "value" || d.Err() != nil || d.Value(key{}) != "value" {
			t.Fatal("want a context that goes on and has its parent's values")
		}
		if at, ok := d.Deadline(); !ok || time.Until(at) != 10*time.Second {
			t.Errorf("got a deadline in %v", time.Until(at))
		}
		child, cancel := context.WithCancel(d)
		defer cancel()
		<-child.Done()
		if !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(d.Err(), context.DeadlineExceeded) {
			t.Errorf("got %v and %v, want both to have ended in time", child.Err(), d.Err())
		}

		gone := errors.New("the browser is gone")
		d = &deadline{Context: parent, limit: 10 * time.Second}
		leave(gone)
		if <-d.Done(); context.Cause(d) != gone {
			t.Errorf("got %v, want the parent's cause", context.Cause(d))
		}

		for _, waited := range []bool{false, true} {
			d = &deadline{Context: t.Context(), limit: 10 * time.Second}
			if waited && d.Err() != nil {
				t.Fatal("it has ended before")
			}
			d.end()
			if <-d.Done(); !errors.Is(d.Err(), context.Canceled) {
				t.Errorf("waited for: %t: got %v", waited, d.Err())
			}
		}
	})
}

// A child ends with its deadline at once: no goroutine stands between them, which
// would have to be woken. A deadline that nobody waits for has no timer.
func TestDeadlineStartsNothing(t *testing.T) {
	d := &deadline{Context: t.Context(), limit: time.Hour}
	if d.Value("x"); d.timed != nil {
		t.Error("want no timer before anybody waits")
	}
	child, cancel := context.WithCancel(d)
	defer cancel()
	if d.end(); child.Err() == nil {
		t.Error("want a child that has ended with its parent")
	}
}
