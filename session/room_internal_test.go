package session

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatepass/gatepass/store/memstore"
)

// It is internal because nobody else sees what is left where a flow was written:
// a state and a memo are secrets of one browser, and the next flow is another's.
func TestRoomIsLeftEmpty(t *testing.T) {
	m, err := New(Config{Store: memstore.New(), Secret: "Zf3xQ9rT1mVb7LkWc5Hs0JpYd8NgUa2E"})
	if err != nil {
		t.Fatal(err)
	}
	var room [roomSize]byte
	m.rooms.New = func() any { return &room }
	for _, f := range []Flow{
		{Purpose: Login, State: NewState(), Memo: "verifier"},
		{Purpose: Login, State: NewState(), Memo: strings.Repeat("verifier", 100), ReturnTo: strings.Repeat("/", maxText)},
		{Purpose: Login, State: NewState(), Memo: strings.Repeat("verifier", 200)},
	} {
		_ = m.BeginFlow(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), f) // the last one is too long
		if left := bytes.Trim(room[:], "\x00"); len(left) > 0 {
			t.Errorf("%d bytes of memo: left is %q", len(f.Memo), left)
		}
	}
}
