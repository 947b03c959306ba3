package providertest

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A question is what a person is asked: may the app know who you are?
type question struct {
	app    string
	to     string // where the app lives
	scopes []string
	hint   string // the account that the app suggests
	silent bool   // the app wants no page to be shown
	yes    func(r *request, person map[string]any) *Answer
	no     func(r *request, code string) *Answer
}

// pending is a question on a page that is open in some browser.
type pending struct {
	question
	expires time.Time
}

// maxPending bounds the questions that are open at a time.
const maxPending = 1000

// ask puts q to whoever comes in: on a page or, in tests, without one.
func (s *Server) ask(r *request, q question) *Answer {
	as, sent := r.Context().Value(personKey{}).(visitor)
	if s.page && !sent {
		if q.silent {
			return q.no(r, "login_required")
		}
		return s.show(r, q, "")
	}
	if as.deny || s.Deny {
		return q.no(r, "access_denied")
	}
	profile := s.Profile
	if as.chosen {
		profile = as.profile
	}
	person, err := claimsOf(profile)
	if err != nil {
		return r.answer(http.StatusInternalServerError, err.Error()+"\n")
	}
	return q.yes(r, person)
}

// A visitor is someone whom a test sends in by hand, see AuthorizeAs.
type visitor struct {
	profile any
	chosen  bool // profile says who; otherwise the Server's does
	deny    bool
}

type personKey struct{}

// show renders the page on which a person chooses who to be. The question stays
// here under a number that cannot be guessed, and the page has the number, so
// that no other page can answer it.
func (s *Server) show(r *request, q question, complaint string) *Answer {
	id := secret("ask")
	now := s.now()
	s.mu.Lock()
	for old, p := range s.pending {
		if now.After(p.expires) || len(s.pending) >= maxPending {
			delete(s.pending, old)
		}
	}
	s.pending[id] = &pending{question: q, expires: now.Add(pageLife)}
	s.mu.Unlock()

	host := q.to
	if u, err := url.Parse(q.to); err == nil {
		host = u.Host
	}
	name, email := q.hint, ""
	if strings.Contains(q.hint, "@") {
		name, email = "", q.hint
	}
	// A browser also judges by form-action where the answer to the form leads to.
	a := r.html(http.StatusOK, choosePage, map[string]any{
		"ID": id, "App": q.app, "Host": host, "Scopes": scopeTexts(q.scopes),
		"People": people(), "Name": name, "Email": email, "Complaint": complaint,
	}, "form-action 'self' "+origin(q.to))
	if complaint != "" {
		a.Status = http.StatusUnprocessableEntity
	}
	return a
}

// choose takes what the person chose on the page.
func (s *Server) choose(r *request) *Answer {
	if r.Method != http.MethodPost {
		return r.notAllowed("POST")
	}
	if s.csrf.Check(r.Request) != nil {
		return r.stop("This choice was not made on a page of this service.")
	}
	if r.bad != nil || twice(r.form) != "" {
		return r.stop("The form is malformed.")
	}
	id := r.form.Get("ask")
	s.mu.Lock()
	p := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	if p == nil || s.now().After(p.expires) {
		return r.stop("This page has been used already, or is too old. Go back to the app and log in again.")
	}
	if r.form.Has("cancel") || s.Deny {
		return p.no(r, "access_denied")
	}
	if n, err := strconv.Atoi(r.form.Get("person")); err == nil {
		if all := people(); n >= 0 && n < len(all) {
			return p.yes(r, all[n])
		}
		return r.stop("Nobody of that number is here.")
	}
	name, email := strings.TrimSpace(r.form.Get("name")), strings.TrimSpace(r.form.Get("email"))
	if name == "" && email == "" {
		return s.show(r, p.question, "Type a name or an email address, or choose someone above.")
	}
	if len(name) > 200 || len(email) > 320 {
		return s.show(r, p.question, "That is too long for a name or an email address.")
	}
	return p.yes(r, typed(name, email, r.form.Get("verified") == "yes"))
}

// stop is a page that says why nobody is sent anywhere.
func (r *request) stop(why string) *Answer {
	return r.html(http.StatusBadRequest, stopPage, map[string]any{"Why": why}, "form-action 'none'")
}

func (r *request) html(status int, text string, data map[string]any, more string) *Answer {
	t := template.Must(template.Must(template.New("layout").Parse(layoutPage)).New("main").Parse(text))
	nonce := secret("n")
	data["Nonce"] = nonce
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", data); err != nil {
		return r.answer(http.StatusInternalServerError, "the page of the test service: "+err.Error()+"\n")
	}
	a := r.answer(status, b.String())
	policy(a.Header, "style-src 'nonce-"+nonce+"'; "+more)
	a.Header.Set("Content-Type", "text/html; charset=utf-8")
	return a
}

// scopeTexts says in words what an app asks for.
func scopeTexts(scopes []string) []string {
	var t []string
	for _, scope := range scopes {
		switch scope {
		case "openid":
			t = append(t, "who you are")
		case "profile":
			t = append(t, "your name, picture and language")
		case "email":
			t = append(t, "your email address")
		case "address":
			t = append(t, "your address")
		case "phone":
			t = append(t, "your phone number")
		case "offline_access":
			t = append(t, "all of that while you are away")
		default:
			t = append(t, "“"+scope+"”")
		}
	}
	if len(t) == 0 {
		t = append(t, "who you are")
	}
	return t
}
