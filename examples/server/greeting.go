package main

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gatepass/gatepass/session"
)

// greetings are what people may be greeted with. The first is for those who have
// not chosen.
var greetings = []string{"Welcome", "Hello", "Ahoy"}

// greeting returns what the person at this browser has chosen. It is kept with
// their session, and a visitor has one as soon as there is something to keep;
// newApp says that it goes along when they log in.
func (a *app) greeting(r *http.Request) (string, error) {
	prefs, err := a.auth.Sessions().Get(r, "prefs")
	if err != nil {
		return "", err
	}
	if chosen, ok := prefs.Values["greeting"].(string); ok {
		return chosen, nil
	}
	return greetings[0], nil
}

// choose keeps another greeting.
func (a *app) choose(w http.ResponseWriter, r *http.Request) {
	chosen := r.PostFormValue("greeting")
	if !slices.Contains(greetings, chosen) {
		a.say(w, r, http.StatusBadRequest, message{Heading: "No such greeting", Text: []string{"Choose one of those on the home page."}})
		return
	}
	prefs, err := a.auth.Sessions().Get(r, "prefs")
	if err == nil {
		prefs.Values["greeting"] = chosen
		err = prefs.Save(r, w)
	}
	// Whoever was logged out a moment ago finds that on the home page.
	if err != nil && !errors.Is(err, session.ErrNone) {
		a.broken(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
