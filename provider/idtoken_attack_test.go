package provider_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

func set(name string, v any) func(map[string]any) {
	return func(m map[string]any) { m[name] = v }
}

func drop(name string) func(map[string]any) {
	return func(m map[string]any) { delete(m, name) }
}

// resign gives the token a signature made with another algorithm or key.
func resign(alg string, key any, header map[string]any) func(string) any {
	return func(signed string) any {
		h := map[string]any{"alg": alg, "kid": "k1"}
		maps.Copy(h, header)
		input := b64(encode(h)) + "." + strings.Split(signed, ".")[1]
		return input + "." + b64(signature(alg, key, input))
	}
}

// TestIDTokenAttacks runs a login with an ID token that is wrong in one way.
// Each must fail with the reason named, after one token request, and without
// the access token having gone to the userinfo endpoint.
func TestIDTokenAttacks(t *testing.T) {
	in := func(d time.Duration) int64 { return newClock().now.Add(d).Unix() }
	tests := []struct {
		name   string
		setup  func(op *hostileOP)
		reason string
		keys   int // JWKS requests, -1 if it does not matter
	}{
		{"wrong_issuer", func(op *hostileOP) { op.claims = set("iss", "https://other.example") }, "id_token_iss", 1},
		{"issuer_with_slash", func(op *hostileOP) { op.claims = set("iss", opIssuer+"/") }, "id_token_iss", 1},
		{"issuer_missing", func(op *hostileOP) { op.claims = drop("iss") }, "id_token_iss", 1},
		{"issuer_number", func(op *hostileOP) { op.claims = set("iss", 5) }, "id_token_iss", 1},
		{"subject_missing", func(op *hostileOP) { op.claims = drop("sub") }, "id_token_sub", 1},
		{"subject_empty", func(op *hostileOP) { op.claims = set("sub", "") }, "id_token_sub", 1},
		{"subject_space", func(op *hostileOP) { op.claims = set("sub", " ") }, "id_token_sub", 1},
		{"subject_ends_with_space", func(op *hostileOP) { op.claims = set("sub", opSubject+" ") }, "id_token_sub", 1},
		{"subject_long", func(op *hostileOP) { op.claims = set("sub", strings.Repeat("1", 256)) }, "id_token_sub", 1},
		{"subject_number", func(op *hostileOP) { op.claims = set("sub", 248289761001) }, "id_token_sub", 1},
		{"subject_list", func(op *hostileOP) { op.claims = set("sub", []string{opSubject}) }, "id_token_sub", 1},
		{"subject_null", func(op *hostileOP) { op.claims = set("sub", nil) }, "id_token_sub", 1},
		{"subject_nul", func(op *hostileOP) { op.claims = set("sub", "1\x00") }, "id_token_sub", 1},
		{"subject_newline", func(op *hostileOP) { op.claims = set("sub", "1\n2") }, "id_token_sub", 1},
		{"subject_half_surrogate", func(op *hostileOP) {
			op.rawClaims = func(c []byte) []byte { return bytes.Replace(c, []byte(opSubject), []byte(`\ud800`), 1) }
		}, "id_token_sub", 1},
		{"audience_other", func(op *hostileOP) { op.claims = set("aud", "other-client") }, "id_token_aud", 1},
		{"audience_missing", func(op *hostileOP) { op.claims = drop("aud") }, "id_token_aud", 1},
		{"audience_number", func(op *hostileOP) { op.claims = set("aud", 1) }, "id_token_aud", 1},
		{"audience_prefix", func(op *hostileOP) { op.claims = set("aud", opClient+"2") }, "id_token_aud", 1},
		{"audience_extra", func(op *hostileOP) { op.claims = set("aud", []string{opClient, "other"}) }, "id_token_aud", 1},
		{"audience_extra_with_azp", func(op *hostileOP) {
			op.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{opClient, "other"}, opClient }
		}, "id_token_aud", 1},
		{"azp_other", func(op *hostileOP) { op.claims = set("azp", "other") }, "id_token_azp", 1},
		{"azp_empty", func(op *hostileOP) { op.claims = set("azp", "") }, "id_token_azp", 1},
		{"iat_missing", func(op *hostileOP) { op.claims = drop("iat") }, "id_token_iat", 1},
		{"iat_week_ago", func(op *hostileOP) { op.claims = set("iat", in(-7*24*time.Hour)) }, "id_token_iat", 1},
		{"iat_sixteen_minutes_ago", func(op *hostileOP) { op.claims = set("iat", in(-16*time.Minute)) }, "id_token_iat", 1},
		{"iat_in_ten_minutes", func(op *hostileOP) { op.claims = set("iat", in(10*time.Minute)) }, "id_token_iat", 1},
		{"iat_string", func(op *hostileOP) { op.claims = set("iat", "1772366400") }, "id_token_iat", 1},
		{"nbf_in_two_minutes", func(op *hostileOP) { op.claims = set("nbf", in(2*time.Minute)) }, "id_token_nbf", 1},
		{"exp_missing", func(op *hostileOP) { op.claims = drop("exp") }, "id_token_exp", 1},
		{"exp_two_minutes_ago", func(op *hostileOP) { op.claims = set("exp", in(-2*time.Minute)) }, "id_token_exp", 1},
		{"exp_five_minutes_ago", func(op *hostileOP) { op.claims = set("exp", in(-5*time.Minute)) }, "id_token_exp", 1},
		{"exp_null", func(op *hostileOP) { op.claims = set("exp", nil) }, "id_token_exp", 1},
		{"exp_string", func(op *hostileOP) { op.claims = set("exp", "1772370000") }, "id_token_exp", 1},
		{"exp_huge", func(op *hostileOP) { op.claims = set("exp", 1e300) }, "id_token_exp", 1},
		{"exp_negative", func(op *hostileOP) { op.claims = set("exp", -1) }, "id_token_exp", 1},
		{"exp_fraction_of_1970", func(op *hostileOP) { op.claims = set("exp", 1.5) }, "id_token_exp", 1},
		{"exp_true", func(op *hostileOP) { op.claims = set("exp", true) }, "id_token_exp", 1},
		{"auth_time_string", func(op *hostileOP) { op.claims = set("auth_time", "yesterday") }, "auth_time", 1},
		{"auth_time_negative", func(op *hostileOP) { op.claims = set("auth_time", -1) }, "auth_time", 1},
		{"auth_time_huge", func(op *hostileOP) { op.claims = set("auth_time", 1e300) }, "auth_time", 1},
		{"sid_number", func(op *hostileOP) { op.claims = set("sid", 7) }, "id_token_malformed", 1},

		{"nonce_of_another_login", func(op *hostileOP) { op.claims = set("nonce", "n-0S6_WzA2Mj") }, "nonce_mismatch", 1},
		{"nonce_missing", func(op *hostileOP) { op.claims = drop("nonce") }, "nonce_missing", 1},
		{"nonce_null", func(op *hostileOP) { op.claims = set("nonce", nil) }, "nonce_missing", 1},
		{"nonce_empty", func(op *hostileOP) { op.claims = set("nonce", "") }, "nonce_mismatch", 1},
		{"nonce_number", func(op *hostileOP) { op.claims = set("nonce", 1) }, "nonce_mismatch", 1},
		{"nonce_in_other_case_of_name", func(op *hostileOP) {
			op.claims = func(c map[string]any) { c["Nonce"] = c["nonce"]; delete(c, "nonce") }
		}, "nonce_missing", 1},

		{"at_hash_wrong", func(op *hostileOP) { op.claims = set("at_hash", atHash("RS256", "at-0")) }, "at_hash", 1},
		{"at_hash_number", func(op *hostileOP) { op.claims = set("at_hash", 1) }, "at_hash", 1},
		{"at_hash_of_other_length", func(op *hostileOP) { op.claims = set("at_hash", atHash("RS512", "at-1")) }, "at_hash", 1},

		{"alg_none", func(op *hostileOP) { op.rawToken = resign("none", nil, nil) }, "id_token_alg", 0},
		{"alg_none_in_capitals", func(op *hostileOP) { op.rawToken = resign("NONE", nil, nil) }, "id_token_alg", 0},
		{"alg_missing", func(op *hostileOP) { op.header = drop("alg") }, "id_token_alg", 0},
		{"alg_number", func(op *hostileOP) { op.header = set("alg", 256) }, "id_token_malformed", 0},
		{"alg_not_in_metadata", func(op *hostileOP) { op.rawToken = resign("RS512", rsaKey(), nil) }, "id_token_alg", 0},
		{"hs256_with_public_key_der", func(op *hostileOP) {
			op.rawToken = resign("HS256", must(x509.MarshalPKIXPublicKey(rsaKey().Public())), nil)
		}, "id_token_alg", 0},
		{"hs256_with_public_key_pem", func(op *hostileOP) {
			der := must(x509.MarshalPKIXPublicKey(rsaKey().Public()))
			op.rawToken = resign("HS256", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil)
		}, "id_token_alg", 0},
		{"hs256_with_client_secret", func(op *hostileOP) { op.rawToken = resign("HS256", []byte(opSecret), nil) }, "id_token_alg", 0},
		{"hs256_with_empty_key", func(op *hostileOP) { op.rawToken = resign("HS256", []byte{}, nil) }, "id_token_alg", 0},
		{"key_type_of_other_alg", func(op *hostileOP) { op.rawToken = resign("ES256", ecKey(), nil) }, "id_token_sig", 1},
		{"rs256_bit_flipped", func(op *hostileOP) {
			op.rawToken = func(s string) any {
				head, sig := s[:strings.LastIndex(s, ".")+1], must(base64.RawURLEncoding.DecodeString(s[strings.LastIndex(s, ".")+1:]))
				sig[10] ^= 1
				return head + b64(sig)
			}
		}, "id_token_sig", 1},
		{"rs256_payload_changed", func(op *hostileOP) {
			op.rawToken = func(s string) any {
				p := strings.Split(s, ".")
				body := must(base64.RawURLEncoding.DecodeString(p[1]))
				return p[0] + "." + b64(bytes.Replace(body, []byte(opSubject), []byte("248289761002"), 1)) + "." + p[2]
			}
		}, "id_token_sig", 1},
		{"rs256_other_key", func(op *hostileOP) { op.rawToken = resign("RS256", otherRSA(), nil) }, "id_token_sig", 1},
		{"es256_other_key", func(op *hostileOP) {
			op.alg, op.key = "ES256", ecKey()
			op.rawToken = func(s string) any {
				input := s[:strings.LastIndex(s, ".")]
				return input + "." + b64(bytes.Repeat([]byte{1}, 64))
			}
		}, "id_token_sig", 1},
		{"signature_empty", func(op *hostileOP) {
			op.rawToken = func(s string) any { return s[:strings.LastIndex(s, ".")+1] }
		}, "id_token_sig", 1},
		{"key_in_header_jwk", func(op *hostileOP) {
			jwk := json.RawMessage(must(jwkOf(otherRSA(), "k1").MarshalJSON()))
			op.rawToken = resign("RS256", otherRSA(), map[string]any{"jwk": jwk})
		}, "id_token_sig", 1},
		{"key_in_header_jku", func(op *hostileOP) {
			op.rawToken = resign("RS256", otherRSA(), map[string]any{"jku": "https://evil.example/jwks"})
		}, "id_token_sig", 1},
		{"key_in_header_x5u", func(op *hostileOP) {
			op.rawToken = resign("RS256", otherRSA(), map[string]any{"x5u": "https://evil.example/x5u"})
		}, "id_token_sig", 1},
		{"crit_b64", func(op *hostileOP) {
			op.header = func(h map[string]any) { h["crit"], h["b64"] = []string{"b64"}, false }
		}, "id_token_malformed", 0},
		{"crit_private", func(op *hostileOP) {
			op.header = func(h map[string]any) { h["crit"], h["x-own"] = []string{"x-own"}, 1 }
		}, "id_token_malformed", 0},
		{"zip", func(op *hostileOP) { op.header = set("zip", "DEF") }, "id_token_malformed", 0},
		{"typ_logout_token", func(op *hostileOP) { op.header = set("typ", "logout+jwt") }, "id_token_malformed", 0},
		{"typ_access_token", func(op *hostileOP) { op.header = set("typ", "at+jwt") }, "id_token_malformed", 0},
		{"json_serialisation", func(op *hostileOP) {
			op.rawToken = func(s string) any {
				p := strings.Split(s, ".")
				return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p[1], p[0], p[2])
			}
		}, "id_token_malformed", 0},
		{"json_serialisation_two_signatures", func(op *hostileOP) {
			op.rawToken = func(s string) any {
				p := strings.Split(s, ".")
				one := fmt.Sprintf(`{"protected":%q,"signature":%q}`, p[0], p[2])
				return fmt.Sprintf(`{"payload":%q,"signatures":[%s,%s]}`, p[1], one, one)
			}
		}, "id_token_malformed", 0},
		{"encrypted", func(op *hostileOP) {
			op.rawToken = func(string) any {
				return b64([]byte(`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`)) + ".AAAA.AAAA.AAAA.AAAA"
			}
		}, "id_token_malformed", 0},
		{"white_space_within", func(op *hostileOP) { op.rawToken = func(s string) any { return s[:20] + "\n" + s[20:] } }, "id_token_malformed", 0},
		{"padding", func(op *hostileOP) { op.rawToken = func(s string) any { return s + "=" } }, "id_token_malformed", 0},
		{"spare_bits_in_base64", func(op *hostileOP) {
			op.header = func(h map[string]any) { clear(h); h["alg"], h["kid"] = "RS256", "k1" }
			op.rawToken = func(s string) any {
				p := strings.Split(s, ".")
				spare := map[int]string{2: "AAAAAAAAAAAAAAAA", 3: "AAAA"}[len(p[0])%4]
				if spare == "" {
					return p[0] + "A." + p[1] + "." + p[2] // one character too many
				}
				last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", p[0][len(p[0])-1])
				odd := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last+1]
				return p[0][:len(p[0])-1] + string(odd) + "." + p[1] + "." + p[2]
			}
		}, "id_token_malformed", 0},
		{"two_parts", func(op *hostileOP) { op.rawToken = func(s string) any { return s[:strings.LastIndex(s, ".")] } }, "id_token_malformed", 0},
		{"million_dots", func(op *hostileOP) { op.rawToken = func(string) any { return strings.Repeat(".", 900_000) } }, "id_token_malformed", 0},
		{"larger_than_64_KB", func(op *hostileOP) { op.claims = set("pad", strings.Repeat("x", 60_000)) }, "id_token_malformed", 0},
		{"nested_arrays", func(op *hostileOP) {
			op.rawClaims = func(c []byte) []byte {
				return []byte(`{"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`)
			}
		}, "id_token_malformed", 0},
		{"duplicate_member", func(op *hostileOP) {
			op.rawClaims = func(c []byte) []byte { return append([]byte(`{"sub":"a",`), c[1:]...) }
		}, "id_token_malformed", 0},
		{"duplicate_member_escaped", func(op *hostileOP) {
			op.rawClaims = func(c []byte) []byte { return append([]byte(`{"\u0073ub":"a",`), c[1:]...) }
		}, "id_token_malformed", 0},
		{"duplicate_member_nested", func(op *hostileOP) {
			op.rawClaims = func(c []byte) []byte { return append([]byte(`{"x":[{"a":1,"a":2}],`), c[1:]...) }
		}, "id_token_malformed", 0},
		{"duplicate_header_member", func(op *hostileOP) {
			op.rawToken = func(s string) any {
				p := strings.Split(s, ".")
				input := b64([]byte(`{"alg":"none","alg":"RS256","kid":"k1"}`)) + "." + p[1]
				return input + "." + b64(signature("RS256", rsaKey(), input))
			}
		}, "id_token_malformed", 0},
		{"payload_not_utf8", func(op *hostileOP) {
			op.rawClaims = func(c []byte) []byte { return append([]byte("{\"x\":\"\xff\","), c[1:]...) }
		}, "id_token_malformed", 0},
		{"payload_list", func(op *hostileOP) { op.rawClaims = func([]byte) []byte { return []byte(`[1]`) } }, "id_token_malformed", 0},
		{"payload_null", func(op *hostileOP) { op.rawClaims = func([]byte) []byte { return []byte(`null`) } }, "id_token_malformed", 0},
		{"payload_empty", func(op *hostileOP) { op.rawClaims = func([]byte) []byte { return nil } }, "id_token_malformed", 0},
		{"something_after_payload", func(op *hostileOP) { op.rawClaims = func(c []byte) []byte { return append(c, `{}`...) } }, "id_token_malformed", 0},

		{"missing_from_answer", func(op *hostileOP) { op.rawToken = func(string) any { return nil } }, "id_token_missing", 0},
		{"empty_in_answer", func(op *hostileOP) { op.rawToken = func(string) any { return "" } }, "id_token_missing", 0},
		{"null_in_answer", func(op *hostileOP) { op.answer = set("id_token", nil) }, "id_token_missing", 0},
		{"object_in_answer", func(op *hostileOP) { op.answer = set("id_token", map[string]int{"a": 1}) }, "id_token_malformed", 0},
		{"number_in_answer", func(op *hostileOP) { op.answer = set("id_token", 5) }, "id_token_malformed", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name+"_after_a_good_login", func(t *testing.T) {
			op := newOP()
			p := op.provider()
			op.mustLogin(t, p)
			tt.setup(op)
			id, tok, err := op.login(t, p)
			wantReason(t, err, tt.reason)
			if id.Subject != "" || tok.AccessToken != "" {
				t.Errorf("got %+v, %v beside the error, want nothing", id, tok)
			}
		})
		t.Run(tt.name, func(t *testing.T) {
			op := newOP()
			tt.setup(op)
			id, tok, err := op.login(t, op.provider())
			wantReason(t, err, tt.reason)
			if id.Subject != "" || tok.AccessToken != "" {
				t.Errorf("got %+v, %v beside the error, want nothing", id, tok)
			}
			if got := op.count("/token"); got != 1 {
				t.Errorf("got %d token requests, want 1", got)
			}
			if got := op.count("/userinfo"); got != 0 {
				t.Errorf("got %d userinfo requests, want none before the ID token is good", got)
			}
			if got := op.count("/jwks"); got != tt.keys {
				t.Errorf("got %d requests for keys, want %d", got, tt.keys)
			}
			if got := op.count("/x5u"); got != 0 {
				t.Errorf("a URL of the token's header was fetched")
			}
		})
	}
}
