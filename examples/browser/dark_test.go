package browser_test

import (
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func dark(p *tab) {
	p.t.Helper()
	ctx, cancel := limit(p.ctx)
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// contrasts fails the test if a text stands out from what is behind it by less
// than 4.5 to 1 (WCAG 2.2, success criterion 1.4.3).
func (p *tab) contrasts(name string) {
	p.t.Helper()
	p.shot(name)
	for _, bad := range run(p, chromedp.Evaluate[[]string](contrast)) {
		p.t.Errorf("%s: hard to read: %s", name, bad)
	}
}

const contrast = `(() => {
	const parts = c => c.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = parts(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] > 0) return c;
		}
		return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
	};
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const box = e.getBoundingClientRect();
		if (!box.width || !box.height) continue;
		const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))];
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.push(e.innerText + " (" + ratio.toFixed(2) + ")");
	}
	return bad;
})()`
