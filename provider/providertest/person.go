package providertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// made is who comes in where nobody else is named.
func made() map[string]any {
	return map[string]any{
		"sub":                "100200300",
		"name":               "Tove Almgren",
		"given_name":         "Tove",
		"family_name":        "Almgren",
		"preferred_username": "tove",
		"email":              "tove@example.test",
		"email_verified":     true,
		"picture":            "https://pictures.example.test/tove.png",
		"profile":            "https://people.example.test/tove",
		"locale":             "sv-SE",
		"zoneinfo":           "Europe/Stockholm",
		"phone_number":       "+46 8 000 000",
		"address":            map[string]any{"country": "Sweden", "locality": "Uppsala"},
	}
}

// people are those whom the page offers. Their subjects stay the same, so that
// an app knows them again when the service has been started anew.
func people() []map[string]any {
	return []map[string]any{made(), {
		"sub":                "100200301",
		"name":               "Bashir Oyelaran",
		"given_name":         "Bashir",
		"family_name":        "Oyelaran",
		"preferred_username": "bashir",
		"email":              "bashir@example.test",
		"email_verified":     true,
		"locale":             "en-NG",
		"zoneinfo":           "Africa/Lagos",
		"phone_number":       "+234 1 000 0000",
		"address":            map[string]any{"country": "Nigeria", "locality": "Lagos"},
	}, {
		"sub":                "100200302",
		"name":               "Michiko Hara",
		"given_name":         "Michiko",
		"family_name":        "Hara",
		"preferred_username": "michiko",
		"email":              "michiko@example.test",
		"email_verified":     false,
		"locale":             "ja-JP",
		"zoneinfo":           "Asia/Tokyo",
		"address":            map[string]any{"country": "Japan", "locality": "Sapporo"},
	}}
}

// typed is someone who typed a name and an address. Whoever types the same
// address, or the same name and none, is the same person.
func typed(name, email string, verified bool) map[string]any {
	key := strings.ToLower(email)
	if key == "" {
		key = "name " + name
	}
	sum := sha256.Sum256([]byte(key))
	p := map[string]any{"sub": base64.RawURLEncoding.EncodeToString(sum[:12])}
	if name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	p["name"] = name
	if email != "" {
		p["email"], p["email_verified"] = email, verified
	}
	return p
}

// claimsOf returns the profile as claims. A profile without "sub" has its "id"
// for one.
func claimsOf(profile any) (map[string]any, error) {
	if profile == nil {
		return made(), nil
	}
	b, err := json.Marshal(profile)
	if err != nil {
		return nil, fmt.Errorf("the Profile of the test service: %w", err)
	}
	var p map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&p); err != nil || p == nil {
		return nil, fmt.Errorf("the Profile of the test service: want a JSON object, got %T", profile)
	}
	if _, ok := p["sub"]; !ok {
		switch id := p["id"].(type) {
		case string:
			p["sub"] = id
		case json.Number:
			p["sub"] = id.String()
		}
	}
	return p, nil
}

// scopeOf names the scope that lets an app read a claim
// (OpenID Connect Core section 5.4). Other claims are told to everyone.
func scopeOf(claim string) string {
	switch claim {
	case "email", "email_verified":
		return "email"
	case "phone_number", "phone_number_verified":
		return "phone"
	case "address":
		return "address"
	case "name", "family_name", "given_name", "middle_name", "nickname", "preferred_username",
		"profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at":
		return "profile"
	}
	return ""
}

// told returns what an app with the scopes may know of a person.
func told(person map[string]any, scopes []string) map[string]any {
	t := map[string]any{}
	for claim, value := range person {
		if s := scopeOf(claim); s == "" || slices.Contains(scopes, s) {
			t[claim] = value
		}
	}
	return t
}

// plainNames are what a service without OpenID Connect may call the claims.
func plainNames() map[string]string {
	return map[string]string{
		"preferred_username": "login",
		"name":               "name",
		"email":              "email",
		"email_verified":     "email_verified",
		"picture":            "avatar_url",
		"profile":            "html_url",
		"locale":             "locale",
		"address":            "address",
		"phone_number":       "phone_number",
	}
}

// plain returns a person as a service without OpenID Connect describes them:
// by a number, where the subject is one, and by names of its own. A profile
// that has an "id" is such a description already.
func plain(person map[string]any) map[string]any {
	if _, ok := person["id"]; ok {
		p := map[string]any{}
		for name, value := range person {
			if name != "sub" {
				p[name] = value
			}
		}
		return p
	}
	p := map[string]any{}
	for claim, name := range plainNames() {
		if value, ok := person[claim]; ok {
			p[name] = value
		}
	}
	if sub, ok := person["sub"]; ok {
		p["id"] = sub
	}
	if sub, ok := person["sub"].(string); ok {
		if n, err := strconv.ParseUint(sub, 10, 64); err == nil && strconv.FormatUint(n, 10) == sub {
			p["id"] = json.Number(sub)
		}
	}
	return p
}
