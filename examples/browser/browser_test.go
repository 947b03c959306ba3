package browser_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// A browser is one person's: tabs of it share their cookies, and no other
// browser of the tests does.
type browser struct {
	t   *testing.T
	ctx context.Context // of the first tab

	mu    sync.Mutex
	hosts map[string]bool // that it has asked for anything
}

// A tab is a page that is open in a browser.
type tab struct {
	*browser
	ctx context.Context
}

// newBrowser starts one that ends with the test.
func newBrowser(t *testing.T) (*browser, *tab) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		const how = "no chromium on the PATH: apt-get install chromium"
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.Headless, chromedp.DisableGPU,
		chromedp.NoSandbox, // it refuses to run as root otherwise, as in a container
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1100, 900),
	)...)
	t.Cleanup(stop)
	b := &browser{t: t, hosts: make(map[string]bool)}
	return b, b.tab(alloc)
}

// tab opens a page in the browser of ctx.
func (b *browser) tab(parent context.Context) *tab {
	b.t.Helper()
	ctx, stop := chromedp.NewContext(parent)
	b.t.Cleanup(stop)
	if b.ctx == nil {
		b.ctx = ctx
	}
	err := chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok {
			b.note(e.Request.URL)
		}
	})
	if err != nil {
		b.t.Fatalf("start the browser: %v", err)
	}
	return &tab{b, ctx}
}

// another opens one more tab of the same browser.
func (b *browser) another() *tab { return b.tab(b.ctx) }

func (b *browser) note(raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "data" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hosts[u.Host] = true
}

// askedOnly fails the test if the browser has asked any other host.
func (b *browser) askedOnly(hosts ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range hosts {
		if !b.hosts[h] {
			b.t.Errorf("the browser never asked %s; it asked %v", h, b.hosts)
		}
		delete(b.hosts, h)
	}
	for h := range b.hosts {
		b.t.Errorf("the browser asked %s for something", h)
	}
}

// cookies returns those of the browser, as it keeps them.
func (b *browser) cookies() []*network.Cookie {
	b.t.Helper()
	ctx, cancel := limit(b.ctx)
	defer cancel()
	res, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	})
	if err != nil {
		b.t.Fatalf("ask the browser for its cookies: %v", err)
	}
	return res.Cookies
}

// limit keeps a step from waiting for ever for what does not come.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 30*time.Second)
}

// do runs steps, and shows the page if one fails.
func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail("%s: %v", what, err)
	}
}

func (p *tab) fail(format string, args ...any) {
	p.t.Helper()
	p.shot("failed-" + p.t.Name())
	p.t.Fatalf("%s\nat %s the page says:\n%s", fmt.Sprintf(format, args...), p.location(), p.text())
}

func run[T any](p *tab, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatalf("ask the page: %v", err)
	}
	return v
}

// open goes to an address, and returns the status of the page at which that
// ends.
func (p *tab) open(address string) int {
	p.t.Helper()
	return p.lands("open "+address, chromedp.Navigate(address))
}

// click clicks on what selector finds, and waits for the page to which that
// leads. It returns its status.
func (p *tab) click(selector string) int {
	p.t.Helper()
	return p.lands("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

func (p *tab) lands(what string, step chromedp.Action[chromedp.Void]) int {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		p.fail("%s: %v", what, err)
	}
	return int(res.Status)
}

func (p *tab) text() string     { return run(p, chromedp.Evaluate[string](`document.body.innerText`)) }
func (p *tab) location() string { return run(p, chromedp.Location()) }

// sees fails the test unless the page holds the words.
func (p *tab) sees(words ...string) {
	p.t.Helper()
	text := p.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.fail("want %q on the page", w)
		}
	}
}

func (p *tab) seesNot(words string) {
	p.t.Helper()
	if strings.Contains(p.text(), words) {
		p.fail("want no %q on the page", words)
	}
}

// isAt fails the test unless the tab shows that address.
func (p *tab) isAt(address string) {
	p.t.Helper()
	if got := p.location(); got != address {
		p.fail("got %s, want %s", got, address)
	}
}

// shot keeps a picture of the whole page.
func (p *tab) shot(name string) {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Logf("no picture of %s: %v", name, err)
		return
	}
	dir, err := pictures()
	if err != nil {
		p.t.Fatal(err)
	}
	file := filepath.Join(dir, name+".png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		p.t.Fatal(err)
	}
}
