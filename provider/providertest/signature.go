package providertest

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"slices"
	"strings"
)

// parseOAuth reads an Authorization header of OAuth 1.0a
// (RFC 5849 section 3.5.1).
func parseOAuth(header string) (map[string]string, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "OAuth") {
		return nil, errors.New("the Authorization header is not of OAuth")
	}
	params := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
			return nil, errors.New(`a parameter of the Authorization header is not name="value"`)
		}
		n, err := unescape(name)
		if err != nil {
			return nil, err
		}
		v, err := unescape(value[1 : len(value)-1])
		if err != nil {
			return nil, err
		}
		if _, twice := params[n]; twice {
			return nil, errors.New("a parameter of the Authorization header is given twice")
		}
		params[n] = v
	}
	return params, nil
}

// unescape undoes escape, and takes nothing that escape would not have made but
// for the case of hexadecimal digits.
func unescape(s string) (string, error) {
	v, err := url.PathUnescape(s)
	if err != nil {
		return "", errors.New("a parameter of the Authorization header is not percent-encoded")
	}
	if !strings.EqualFold(escape(v), s) {
		return "", errors.New("a parameter of the Authorization header is not percent-encoded as RFC 5849 has it")
	}
	return v, nil
}

// escape is percent-encoding as RFC 5849 section 3.6 has it: everything but
// letters, digits and four marks.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// baseString is what is signed (RFC 5849 section 3.4.1).
func (r *request) baseString(params map[string]string) string {
	type pair struct{ name, value string }
	var pairs []pair
	for name, value := range params {
		if name != "realm" && name != "oauth_signature" {
			pairs = append(pairs, pair{escape(name), escape(value)})
		}
	}
	for _, values := range []url.Values{r.query, r.signedForm()} {
		for name, list := range values {
			for _, value := range list {
				pairs = append(pairs, pair{escape(name), escape(value)})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var list []string
	for _, p := range pairs {
		list = append(list, p.name+"="+p.value)
	}
	scheme, host, _ := strings.Cut(strings.ToLower(r.base), "://")
	if scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	return r.Method + "&" + escape(scheme+"://"+host+r.URL.EscapedPath()) + "&" + escape(strings.Join(list, "&"))
}

// signedForm is the body, if it is a form. A body of another kind is not signed
// (RFC 5849 section 3.4.1.3.1).
func (r *request) signedForm() url.Values {
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/x-www-form-urlencoded") {
		return r.form
	}
	return nil
}

// signed checks the signature in params with the two secrets.
func (r *request) signed(params map[string]string, tokenSecret string) error {
	var hash func() hash.Hash
	switch params["oauth_signature_method"] {
	case "HMAC-SHA1":
		hash = sha1.New
	case "HMAC-SHA256":
		hash = sha256.New
	default:
		return fmt.Errorf("want oauth_signature_method HMAC-SHA1 or HMAC-SHA256")
	}
	mac := hmac.New(hash, []byte(escape(ClientSecret)+"&"+escape(tokenSecret)))
	mac.Write([]byte(r.baseString(params)))
	got, err := base64.StdEncoding.DecodeString(params["oauth_signature"])
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return errors.New("oauth_signature is wrong")
	}
	return nil
}
