package provider

// An internal test for the reason that expr_internal_test.go gives.

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzPath(f *testing.F) {
	for _, s := range []string{"a.b|c d>lastseg", `x["a|b"]`, "emails[primary&verified].email", "tmpl:https://x/{a}", "token:a&b"} {
		f.Add(s)
	}
	d := testDocuments(f)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePath(s, []string{"emails"})
		if (p == nil) == (err == nil) {
			t.Fatalf("got %v, %v", p, err)
		}
		if err != nil {
			if got := evalPath(s, d); got != "" && !strings.Contains(s, ":") {
				t.Fatalf("a bad path gave %q", got)
			}
			return
		}
		if a, b := p.eval(d, false), p.eval(d, false); a != b {
			t.Fatalf("got %q, then %q", a, b)
		}
		p.eval(documents{}, true)
	})
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{"yes", "any:in:list;state:a==b", "all:a,b", "int:a==1", "claim_loose:id_token:x"} {
		f.Add(s, "a@x.example")
	}
	d := testDocuments(f)
	f.Fuzz(func(t *testing.T, s, email string) {
		if evalRule(s, email, d) && !validEmail(email) {
			t.Fatalf("%q holds for %q", s, email)
		}
		if evalRule(s, email, documents{}) {
			t.Fatalf("%q holds for nothing", s)
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{"a==b", "a!=b;c", "!a", "a[b==c].d!=e"} {
		f.Add(s)
	}
	d := testDocuments(f).profile
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCond(s)
		if (c == nil) == (err == nil) {
			t.Fatalf("got an error and a condition, or neither: %v", err)
		}
		evalCond(s, d)
		evalCond(s, nil)
	})
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"https://a.example/{token.openid}?x={callback.device_id}", "{token.base}/me", `{"q":"{me{id}}"}`, "https://{token.host}/"} {
		f.Add(s, "value")
	}
	f.Fuzz(func(t *testing.T, s, value string) {
		for _, where := range []place{inURL, inText, inJSON, inForm} {
			tmpl, err := parseTemplate(s, where)
			if err != nil {
				continue
			}
			v := testVars(t)
			for k := range v.answer {
				v.answer[k] = value
			}
			got, err := tmpl.expand(v)
			if err != nil || where != inURL || startsWithVar(tmpl) {
				continue
			}
			// Whatever a value is, it stays in its part of the URL.
			want, err1 := url.Parse(tmpl.text())
			u, err2 := url.Parse(got)
			if err1 != nil || want.Host == "" || strings.Contains(want.Host, "x") {
				continue
			}
			if err2 != nil || u.Host != want.Host || u.Scheme != want.Scheme {
				t.Fatalf("%q with %q became %q", s, value, got)
			}
		}
	})
}
