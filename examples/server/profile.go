package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gatepass/gatepass/store"
)

type profilePage struct {
	page
	Profiles []told
}

// A told is what one service has told this app about somebody.
type told struct {
	Service string
	Facts   []fact
	Raw     string
}

type fact struct{ Name, Value string }

// more says where services put what their further scopes give, each by names
// of its own.
var more = []struct {
	name  string
	paths []string
}{
	{"Email", []string{"email", "data.confirmed_email"}},
	{"Language", []string{"locale", "language", "lang", "preferred_language", "data.lang"}},
	{"Country", []string{"address.country", "country", "location", "data.location"}},
	{"Address", []string{"address.formatted", "address.street_address", "address.locality", "address"}},
	{"Time zone", []string{"zoneinfo", "timezone", "time_zone"}},
}

func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	p := profilePage{page: a.page(r)}
	accounts, err := a.store.UserAccounts(r.Context(), p.User.ID)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	for _, account := range accounts {
		p.Profiles = append(p.Profiles, a.told(account))
	}
	a.render(w, r, http.StatusOK, "profile", p)
}

func (a *app) told(account store.Account) told {
	t := told{Service: a.service(account.Provider)}
	var profile any
	dec := json.NewDecoder(bytes.NewReader(account.Profile))
	dec.UseNumber()
	if err := dec.Decode(&profile); err != nil {
		profile = nil // a service without a profile tells nothing more
	}
	for _, m := range more {
		f := fact{Name: m.name}
		for _, path := range m.paths {
			if f.Value = find(profile, path); f.Value != "" {
				break
			}
		}
		t.Facts = append(t.Facts, f)
	}
	if profile != nil {
		var raw strings.Builder
		enc := json.NewEncoder(&raw)
		enc.SetEscapeHTML(false) // the template does that
		enc.SetIndent("", "  ")
		_ = enc.Encode(profile) // it was decoded a moment ago
		t.Raw = raw.String()
	}
	return t
}
