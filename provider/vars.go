package provider

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// flowVars are the variables of templates in a [Call] or a [Dialect].
type flowVars struct {
	clientID, secret string
	tok              Token
	answer           map[string]any    // the token answer
	kept             map[string]string // Token.Memo
	callback         url.Values
	profile          any

	state, redirectURI string

	scopes []string
	sep    string // between them
}

func (v *flowVars) value(f fragment) (string, bool) {
	doc, rest, dotted := strings.Cut(f.name, ".")
	if dotted {
		switch doc {
		case "token":
			if x, ok := walk(v.answer, f.segs); ok {
				return text(x)
			}
			s, ok := v.kept[rest]
			return s, ok
		case "callback":
			if v.callback.Has(rest) {
				return v.callback.Get(rest), true
			}
			s, ok := v.kept[f.name]
			return s, ok
		}
		x, _ := walk(v.profile, f.segs)
		return text(x)
	}
	switch f.name {
	case "client_id":
		return v.clientID, true
	case "client_secret":
		return v.secret, true
	case "client_basic":
		return base64.StdEncoding.EncodeToString([]byte(v.clientID + ":" + v.secret)), true
	case "access_token":
		return v.tok.AccessToken, true
	case "refresh_token":
		return v.tok.RefreshToken, true
	case "proof":
		if v.tok.AccessToken == "" || v.secret == "" {
			return "", false
		}
		mac := hmac.New(sha256.New, []byte(v.secret))
		mac.Write([]byte(v.tok.AccessToken))
		return hex.EncodeToString(mac.Sum(nil)), true
	case "state":
		return v.state, true
	case "redirect_uri":
		return v.redirectURI, true
	case "scopes":
		return strings.Join(v.scopes, v.sep), true
	}
	return "", false
}

// packMemo writes what is kept of an answer as Token.Memo, "" if nothing is.
func packMemo(kept map[string]string) string {
	if len(kept) == 0 {
		return ""
	}
	b, err := json.Marshal(kept)
	if err != nil {
		return ""
	}
	return string(b)
}

// unpackMemo reads what packMemo wrote, and nothing of another memo.
func unpackMemo(memo string) map[string]string {
	var kept map[string]string
	if !strings.HasPrefix(memo, "{") || json.Unmarshal([]byte(memo), &kept) != nil {
		return nil
	}
	return kept
}

// mergeMemo returns the memo of a renewed token: the old one, with what came anew.
func mergeMemo(old, next string) string {
	if next == "" || old == "" {
		return old + next
	}
	kept, add := unpackMemo(old), unpackMemo(next)
	if kept == nil || add == nil {
		return next
	}
	for k, s := range add {
		kept[k] = s
	}
	return packMemo(kept)
}
