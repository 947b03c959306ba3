package main

import "net/http"

// A message is a page with a few sentences. What goes wrong with a login is not
// here: the library has pages for that.
type message struct {
	page
	Heading string
	Text    []string
	Again   *link
	Failed  bool
}

func (a *app) say(w http.ResponseWriter, r *http.Request, status int, m message) {
	m.page = a.page(r)
	m.Failed = status >= 400
	a.render(w, r, status, "message", m)
}

func (a *app) notFound(w http.ResponseWriter, r *http.Request) {
	a.say(w, r, http.StatusNotFound, message{
		Heading: "No such page",
		Text:    []string{"There is nothing at this address."},
	})
}

// broken answers when the database did not.
func (a *app) broken(w http.ResponseWriter, r *http.Request, err error) {
	a.log.Error("the database failed", "path", r.URL.Path, "err", err)
	a.say(w, r, http.StatusServiceUnavailable, message{
		Heading: "Not just now",
		Text:    []string{"This app cannot reach its database. You are still logged in; try again in a minute."},
		Again:   &link{r.URL.Path, "Try again"},
	})
}

// notSetUp answers at the page of a service without keys.
func (a *app) notSetUp(q question) http.HandlerFunc {
	name := variable(q.Provider)
	return func(w http.ResponseWriter, r *http.Request) {
		a.say(w, r, http.StatusNotFound, message{
			Heading: q.Name + " is not set up",
			Text: []string{
				"This page asks " + q.Name + " who you are. For that, the program needs keys of an application that is registered there.",
				"Put " + name + "_ID and " + name + "_SECRET into the environment or into the file .env, and start it again.",
			},
		})
	}
}
