package middleware_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatepass/gatepass/store"
)

// browsers are what programs of 2025 and 2026 send, and what the page calls
// them.
var browsers = []struct{ userAgent, want string }{
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Chrome on Windows"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Chrome on Mac"},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Chrome on Linux"},
	{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36", "Chrome on ChromeOS"},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome on Android"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1", "Chrome on iPhone"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "Edge on Windows"},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36 EdgA/142.0.0.0", "Edge on Android"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/142.0.0.0 Mobile/15E148 Safari/605.1.15", "Edge on iPhone"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Windows"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Mac"},
	{"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox on Linux"},
	{"Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0", "Firefox on Android"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/144.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"},
	{"Mozilla/5.0 (X11; FreeBSD amd64; rv:144.0) Gecko/20100101 Firefox/144.0", "Firefox"},
	{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari on Mac"},
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"},
	{"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "Safari on iPad"},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36", "Samsung Browser on Android"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0", "Opera on Windows"},
	{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36 OPR/92.0.0.0", "Opera on Android"},
	{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Vivaldi/7.6.3797.63", "Vivaldi on Windows"},
	{"Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/BP1A.250505.005; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.102 Mobile Safari/537.36", "Chrome on Android"}, // a WebView
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "Unknown browser on iPhone"},                                            // a WebView
	{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22G86 [FBAN/FBIOS;FBAV/534.0.0.46.103;FBDV/iPhone17,1]", "Facebook App on iPhone"},
	{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36", "Headless Chrome on Linux"},
	{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"},
	{"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "Bingbot"},
	{"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "GPTBot"},
	{"Opera/9.80 (Android; Opera Mini/90.0.2254/191.366; U; en) Presto/2.12.423 Version/12.16", "Opera Mini on Android"},
	{"curl/8.16.0", "curl"},
	{"Wget/1.25.0", "Wget"},
	{"Go-http-client/1.1", "Go-http-client"},
	{"Go-http-client/2.0", "Go-http-client"},
	{"python-requests/2.32.5", "python-requests"},
	{"okhttp/5.1.0", "okhttp"},
	{"PostmanRuntime/7.49.1", "PostmanRuntime"},
	{"Dalvik/2.1.0 (Linux; U; Android 15; Pixel 9 Build/BP1A.250505.005)", "Dalvik on Android"},
	{"", "Unknown browser"},
	{"Mozilla/5.0", "Unknown browser"},
	{"Mozilla/5.0 (test)", "Unknown browser"},
	{"Chrome/", "Unknown browser"},
	{"/", "Unknown browser"},
	{"((((((((((;;;;;;", "Unknown browser"},
	{"<script>alert(1)</script>", "Unknown browser"},
	{`"><img src=x onerror=alert(1)>/1.0`, "Unknown browser"},
	{"your bank asks you to call +1 555 0100", "Unknown browser"},
	{"call +1 555 0100/1", "Unknown browser"},
	{"please call 555 0100/1 (Windows NT 10.0)", "Unknown browser on Windows"},
	{"\u202egnp.exe/1.0", "Unknown browser"},
	{strings.Repeat("a", 254) + "/1", "Unknown browser"},
	{strings.Repeat("(", 256), "Unknown browser"},
	{strings.Repeat("é/", 85), "Unknown browser"},
}

// openAt gives the user a session that was seen then, with that User-Agent.
func openAt(t testing.TB, a *app, userID, id, userAgent string, seen time.Time) {
	t.Helper()
	err := a.store.CreateSession(t.Context(), &store.Session{
		ID: id, UserID: userID, Key: githubAda, AuthTime: seen, CreatedAt: seen, SeenAt: seen,
		ExpiresAt: a.clock.Now().Add(time.Hour), UserAgent: userAgent,
	})
	if err != nil {
		t.Fatal(err)
	}
}

var browserNames = regexp.MustCompile(`<strong>([^<]*)</strong>`)

func TestBrowserNames(t *testing.T) {
	a := newApp(t, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	for i, tt := range browsers {
		openAt(t, a, b.whoami(), fmt.Sprint("s-", i), tt.userAgent, a.clock.Now().Add(-time.Duration(i+1)*time.Minute))
	}
	page := body(t, b.get("/auth/account"))
	names := browserNames.FindAllStringSubmatch(page, -1)
	if len(names) != len(browsers)+1 {
		t.Fatalf("got %d sessions on the page, want %d: %s", len(names), len(browsers)+1, page)
	}
	for i, tt := range browsers {
		if got := html.UnescapeString(names[i+1][1]); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.userAgent, got, tt.want)
		}
	}
	for _, s := range []string{"<script", "<img", "onerror", "555", "AppleWebKit", "144.0", "\u202e"} {
		if strings.Contains(page, s) {
			t.Errorf("the page has %q", s)
		}
	}
}

// shown is all that the name of a browser may be.
var shown = regexp.MustCompile(`^[A-Za-z0-9._-][A-Za-z0-9 ._-]{0,31}( on (Windows|Windows Phone|Mac|Linux|iPhone|iPad|iOS|Android|ChromeOS|FreeBSD|BlackBerry|Harmony))?$`)

// FuzzBrowserName logs in a browser that calls itself anything.
func FuzzBrowserName(f *testing.F) {
	for _, tt := range browsers {
		f.Add(tt.userAgent)
	}
	a := newApp(f, nil)
	a.github.person("ada", ada)
	b := a.browser()
	b.login("github", "ada")
	id := b.whoami()
	f.Fuzz(func(t *testing.T, userAgent string) {
		b := &browser{t: t, app: a, cookies: b.cookies}
		userAgent = strings.ReplaceAll(strings.ToValidUTF8(userAgent, "?"), "\x00", "?") // as far as a store keeps it
		openAt(t, a, id, "fuzzed", userAgent, a.clock.Now().Add(-time.Minute))
		defer func() {
			if err := a.store.DeleteSession(t.Context(), "fuzzed"); err != nil {
				t.Fatal(err)
			}
		}()
		resp := b.get("/auth/account")
		page := body(t, resp)
		names := browserNames.FindAllStringSubmatch(page, -1)
		if resp.StatusCode != 200 || len(names) != 2 {
			t.Fatalf("%q: got %d and %d sessions, want 2: %s", userAgent, resp.StatusCode, len(names), page)
		}
		if got := html.UnescapeString(names[1][1]); !shown.MatchString(got) {
			t.Errorf("%q is shown as %q", userAgent, got)
		}
	})
}
