package middleware

import (
	"cmp"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"github.com/gatepass/gatepass/session"
	"github.com/gatepass/gatepass/store"
)

// sessionRows tells of each session what its user needs to know it again, that
// of the browser that asks first.
func (a *Auth) sessionRows(open []store.Session, current string) []sessionRow {
	rows := make([]sessionRow, 0, len(open))
	for _, s := range open {
		row := sessionRow{
			Handle: a.handle(s.ID), Browser: browserName(s.UserAgent), Address: a.addressText(s.IP), With: s.Provider,
			Began: s.CreatedAt.UTC(), Seen: s.SeenAt.UTC(),
			Current: s.ID == current, Remembered: isRemembered(s),
		}
		if e := a.entryOf(s.Provider); e != nil {
			row.With = e.info.Name
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(x, y sessionRow) int { return cmp.Compare(y.rank(), x.rank()) })
	label(rows)
	return rows
}

// label names the button of each row for whoever hears the page and does not see
// beside what it stands. Two browsers of one kind, at home behind one address,
// are numbered.
func label(rows []sessionRow) {
	alike := make(map[string]int)
	for i := range rows {
		row := &rows[i]
		if row.Verb = "End"; row.Remembered {
			row.Verb = "Forget"
		}
		row.Label = row.Verb + " " + row.Browser + ", last seen " + row.Seen.Format("2 January 2006, 15:04") + " UTC"
		if row.Address != "" {
			row.Label += ", from " + row.Address
		}
		if row.Current {
			continue // it has no button
		}
		if alike[row.Label]++; alike[row.Label] > 1 {
			row.Label += ", number " + strconv.Itoa(alike[row.Label])
		}
	}
}

// addressText is what a page shows of an address: the network, if no more was to
// be kept of it. One that was kept before that was so is shown as it is.
func (a *Auth) addressText(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil || a.cfg.Session.Addresses != session.TruncateAddress {
		return ip
	}
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	if network, err := addr.Prefix(bits); err == nil && network.Addr() == addr {
		return network.String()
	}
	return ip
}

func (r sessionRow) rank() int {
	if r.Current {
		return 1
	}
	return 0
}

// isRemembered reports whether s is no session but a browser in which one may
// begin without a login.
func isRemembered(s store.Session) bool { return s.Family != "" && s.ID == s.Family }

// handle names a session on a page, without the ID under which it is stored.
func (a *Auth) handle(sessionID string) string { return a.sessions.CSRF(sessionID, "handle") }

// serveRevoke ends one of the user's sessions, or all others.
func (a *Auth) serveRevoke(w http.ResponseWriter, r *http.Request, _ *entry) {
	who, r := a.mayChange(w, r, "revoke", nil)
	if who == nil {
		return
	}
	if err := a.revokeSessions(r, who); err != nil {
		a.fail(w, r, "revoke", "", err)
		return
	}
	redirect(w, a.prefix+"/account")
}

// revokeSessions never ends the session of the browser that asks: that is what
// logging out is for, which also tells the browser.
func (a *Auth) revokeSessions(r *http.Request, who *session.Found) error {
	ctx, cancel := detached(r) // nor does it stop halfway because the browser did not wait
	defer cancel()
	if r.PostForm.Get("others") != "" {
		return storeFailed(a.sessions.EndAll(ctx, who.User.ID, who.Session.ID))
	}
	open, err := a.sessions.List(ctx, who.User.ID)
	if err != nil {
		return storeFailed(err)
	}
	wanted := []byte(r.PostForm.Get("session"))
	for _, s := range open {
		if s.ID != who.Session.ID && subtle.ConstantTimeCompare([]byte(a.handle(s.ID)), wanted) == 1 {
			return storeFailed(a.sessions.Revoke(ctx, s.ID))
		}
	}
	return nil // it has ended already
}
