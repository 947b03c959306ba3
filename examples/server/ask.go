package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatepass/gatepass/middleware"
)

// A question asks a service, in the name of whoever is logged in, who they are
// there.
type question struct {
	Path     string   // of the page
	Provider string   // whom to ask
	Name     string   // what a page calls a service that is not set up; if empty, there is no page then
	Call     string   // below the provider's API
	Login    []string // where in the answer the person's name stands, the best first
}

var questions = []question{
	{"/github", "github", "GitHub", "/user", []string{"login"}},
	{"/google", "google", "Google", "/oauth2/v3/userinfo", []string{"email", "name"}},
	{"/twitter", "x", "X", "/users/me", []string{"data.username"}},
	{"/twitter", "twitter", "Twitter", "/account/verify_credentials.json", []string{"screen_name"}},
	{"/test", "test", "", "/userinfo", []string{"preferred_username", "name", "sub"}},
}

// pages returns the question of each page: the first whose service people can
// log in with, or else the first.
func (a *app) pages() map[string]question {
	pages := make(map[string]question)
	for _, q := range questions {
		before, ok := pages[q.Path]
		if !ok || !a.offers(before.Provider) && a.offers(q.Provider) {
			pages[q.Path] = q
		}
	}
	return pages
}

// errSignIn means that the service no longer knows the token that we have.
var errSignIn = errors.New("the service wants the person to log in again")

func (a *app) ask(q question) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, err := a.whoOn(r.Context(), q)
		switch {
		case err == nil:
			a.render(w, r, http.StatusOK, "who", whoPage{a.page(r), a.service(q.Provider), name})
		case errors.Is(err, errSignIn), errors.Is(err, middleware.ErrNoToken):
			a.say(w, r, http.StatusForbidden, message{
				Heading: a.service(q.Provider) + " wants to see you again",
				Text:    []string{"What it let this app do in your name has ended. Log in with it once more, and you are back on this page."},
				Again:   &link{a.auth.LoginPath(q.Provider, q.Path), "Log in with " + a.service(q.Provider)},
			})
		default:
			a.log.Error("a service did not say who somebody is", "provider", q.Provider, "err", err)
			a.say(w, r, http.StatusBadGateway, message{
				Heading: a.service(q.Provider) + " did not answer",
				Text:    []string{"You are still logged in here. The service may be back in a minute."},
				Again:   &link{q.Path, "Ask again"},
			})
		}
	}
}

// whoOn calls the service's API with the person's token, which it never sees:
// the client renews it when needed and sends it to that service alone.
func (a *app) whoOn(ctx context.Context, q question) (string, error) {
	client, err := a.auth.Client(ctx, q.Provider)
	if err != nil {
		return "", err
	}
	res, err := client.Get(q.Call)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return "", errSignIn
	default:
		return "", fmt.Errorf("%s answered %s", q.Call, res.Status)
	}
	var answer any
	dec := json.NewDecoder(io.LimitReader(res.Body, 1<<20))
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil {
		return "", fmt.Errorf("%s: %w", q.Call, err)
	}
	for _, path := range q.Login {
		if name := find(answer, path); name != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: want one of %v in the answer", q.Call, q.Login)
}

// find returns the text at a path such as "address.country", or "".
func find(value any, path string) string {
	for _, name := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = object[name]
	}
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
