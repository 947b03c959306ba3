package provider

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// replyNames are the members of a token answer that Dialect.Reply may move.
var replyNames = [...]string{
	"access_token", "token_type", "refresh_token", "expires_in", "expires_at", "scope", "id_token",
}

// read judges the service's answer and keeps what it says.
func (rt *tokenTransport) read(status int, contentType string, body []byte) error {
	answer, err := parseAnswer(contentType, body)
	ok := status >= 200 && status < 300
	if err != nil && ok {
		return newError(rt.g.info, rt.op, reasonToken, err)
	}
	if !ok || failed(answer["error"]) || rt.d.fail != nil && rt.d.fail(answer) {
		return rt.refused(status, answer)
	}
	var root any = answer
	if rt.d.root != nil {
		root, _ = walk(answer, rt.d.root)
	}
	rt.answer = answer
	if rt.tok, err = rt.d.token(root, rt.g.sep()); err != nil {
		return newError(rt.g.info, rt.op, reasonToken, err)
	}
	if rt.tok.Scopes == nil {
		rt.tok.Scopes = slices.Clone(rt.scopes)
	}
	rt.tok.Memo = rt.keep()
	return nil
}

// failed reports whether v, the member "error", says that something is wrong.
func failed(v any) bool {
	if n, ok := text(v); ok {
		return n != "" && n != "0"
	}
	return v != nil && v != false
}

// refused says why there is no token.
func (rt *tokenTransport) refused(status int, answer map[string]any) error {
	e := &Error{Provider: rt.g.info.ID, Op: rt.op, Reason: reasonExchange}
	v, _ := walk(answer, rt.d.failCode)
	code, _ := text(v)
	e.Code = safeCode(code)
	gone := code == "invalid_grant" || code != "" && slices.Contains(rt.d.Revoked, code)
	switch {
	case outOfOrder(status):
		e.Reason, e.Err = reasonDown, fmt.Errorf("%w: status %d", ErrUnavailable, status)
	case rt.op == "refresh" && gone:
		e.Err = ErrRevoked
	default:
		e.Err = fmt.Errorf("the service refused with status %d", status)
	}
	return e
}

func outOfOrder(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

// keep returns the memo of the new token.
func (rt *tokenTransport) keep() string {
	if len(rt.d.keep) == 0 {
		return ""
	}
	kept := map[string]string{}
	for name, at := range rt.d.keep {
		if v, ok := walk(rt.answer, at); ok {
			if s, ok := text(v); ok {
				kept[name] = s
			}
			continue
		}
		param, isParam := strings.CutPrefix(name, "callback.")
		switch {
		case isParam && rt.vars.callback.Has(param):
			kept[name] = rt.vars.callback.Get(param)
		case name == "redirect_uri" && rt.vars.redirectURI != "":
			kept[name] = rt.vars.redirectURI
		}
	}
	return packMemo(kept)
}

// parseAnswer reads JSON whatever the Content-Type, as services name it wrongly,
// and a form if the Content-Type says so or is of plain text.
func parseAnswer(contentType string, body []byte) (map[string]any, error) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if !bytes.HasPrefix(trimmed, []byte("{")) && isForm(contentType) {
		form, err := url.ParseQuery(string(bytes.TrimSpace(trimmed)))
		if err != nil {
			return nil, errors.New("the answer is no form")
		}
		m := make(map[string]any, len(form))
		for name, values := range form {
			if len(values) != 1 {
				return nil, errors.New("the answer gives a member twice")
			}
			m[name] = values[0]
		}
		return m, nil
	}
	doc, err := decodeJSON(body)
	if err != nil {
		return nil, err
	}
	m, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("the answer is no JSON object")
	}
	return m, nil
}

func isForm(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/x-www-form-urlencoded" || kind == "text/plain"
}

// member returns what stands where the service puts that member of the RFC.
func (d *preparedDialect) member(root any, name string) any {
	at, ok := d.reply[name]
	if !ok {
		at = []segment{{key: name}}
	}
	v, _ := walk(root, at)
	return v
}

// token makes a Token of an answer.
func (d *preparedDialect) token(root any, sep string) (Token, error) {
	access, _ := d.member(root, "access_token").(string)
	if !validAccessToken(access) {
		return Token{}, errors.New("the answer has no usable access_token")
	}
	t := Token{AccessToken: access, Type: "Bearer"}
	if d.TokenType != "" {
		t.Type = d.TokenType
	}
	kind, isText := d.member(root, "token_type").(string)
	switch {
	case isText && (strings.EqualFold(kind, "Bearer") || d.TokenType != "" && strings.EqualFold(kind, d.TokenType)):
	case d.NoTokenType && kind == "":
	default:
		return Token{}, errors.New("the answer's token_type is not that of a bearer token")
	}
	t.RefreshToken, _ = d.member(root, "refresh_token").(string)
	t.IDToken, _ = d.member(root, "id_token").(string)
	t.Scopes = scopesOf(d.member(root, "scope"), sep)
	if !d.NoExpiry {
		t.Expiry = d.expiry(root)
	}
	return t, nil
}

// expiry reads expires_in, which counts from now, else expires_at. What is no
// number says nothing.
func (d *preparedDialect) expiry(root any) time.Time {
	if n, ok := number(d.member(root, "expires_in")); ok {
		return expiry(n)
	}
	if _, ok := d.reply["expires_at"]; !ok {
		return time.Time{}
	}
	v := d.member(root, "expires_at")
	if n, ok := number(v); ok {
		if n > 1e11 { // milliseconds
			n /= 1000
		}
		return expiry(n - float64(time.Now().Unix()))
	}
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return expiry(time.Until(t).Seconds())
}

func number(v any) (float64, bool) {
	s, ok := text(v)
	if !ok || strings.Trim(s, "0123456789.+-eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	// A number beyond float64 is one, and absurd.
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return n, true
}

// scopesOf reads a list, or a text parted by spaces, else by sep or commas. It
// is nil if the answer does not say.
func scopesOf(v any, sep string) []string {
	switch x := v.(type) {
	case string:
		list := strings.Fields(x)
		if len(list) == 1 || sep != " " {
			list = strings.FieldsFunc(x, func(r rune) bool { return r == ' ' || r == ',' || strings.ContainsRune(sep, r) })
		}
		if list == nil {
			list = []string{}
		}
		return list
	case []any:
		list := make([]string, 0, len(x))
		for _, e := range x {
			if s, ok := e.(string); ok && s != "" {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// validAccessToken allows what RFC 6749 appendix A.12 does, which is also what a
// header may hold.
func validAccessToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
