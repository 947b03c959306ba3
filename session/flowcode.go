package session

import (
	"encoding/binary"
	"errors"
	"strconv"
	"time"
)

const (
	maxText     = 1024 // of Memo and ReturnTo
	maxProvider = 40
	maxID       = 64
	flowFixed   = 1 + 1 + 8 + stateSize

	// Flags. What has one that an older process does not know is no flow to it.
	reauthFlag   = 1
	rememberFlag = 2
)

// encode appends f to b, as bytes. Its error comes with a reason.
func (f Flow) encode(b []byte) (plain []byte, reason string, err error) {
	if f.Purpose < Login || f.Purpose > Reauth {
		return nil, "purpose", errors.New("a flow is for Login, Link or Reauth")
	}
	state, ok := decodeState(f.State)
	if !ok {
		return nil, "state_malformed", errors.New("the state is not from NewState")
	}
	flags := byte(0)
	if f.Reauth {
		flags |= reauthFlag
	}
	if f.Remember {
		flags |= rememberFlag
	}
	b = append(b, byte(f.Purpose), flags)
	b = binary.BigEndian.AppendUint64(b, uint64(f.Began.UnixMilli()))
	b = append(b, state[:]...)
	for _, t := range f.texts() {
		if len(*t.s) > t.limit {
			// Were t given to fmt, every flow would have to be on the heap.
			return nil, "too_long", errors.New(t.name + ": want at most " + strconv.Itoa(t.limit) + " bytes, got " + strconv.Itoa(len(*t.s)))
		}
		b = appendText(b, *t.s)
	}
	return b, "", nil
}

func decodeFlow(b []byte) (Flow, bool) {
	if len(b) < flowFixed {
		return Flow{}, false
	}
	f := Flow{
		Purpose:  Purpose(b[0]),
		Reauth:   b[1]&reauthFlag != 0,
		Remember: b[1]&rememberFlag != 0,
		Began:    time.UnixMilli(int64(binary.BigEndian.Uint64(b[2:]))).UTC(),
		State:    stateOf(b[10:flowFixed]),
	}
	if f.Purpose < Login || f.Purpose > Reauth || b[1] > reauthFlag|rememberFlag {
		return Flow{}, false
	}
	rest := string(b[flowFixed:]) // of which each text is a part
	for _, t := range f.texts() {
		s, after, ok := cutText(rest)
		if !ok || len(s) > t.limit {
			return Flow{}, false
		}
		*t.s, rest = s, after
	}
	return f, rest == ""
}

func stateOf(b []byte) string {
	var text [stateText]byte
	b64.Encode(text[:], b)
	return string(text[:])
}

type flowText struct {
	name  string
	s     *string
	limit int
}

// texts lists the texts of f in the order in which they are written.
func (f *Flow) texts() [7]flowText {
	return [7]flowText{
		{"Provider", &f.Provider, maxProvider},
		{"Issuer", &f.Issuer, maxText},
		{"Memo", &f.Memo, maxText},
		{"ReturnTo", &f.ReturnTo, maxText},
		{"CallbackURL", &f.CallbackURL, maxText},
		{"UserID", &f.UserID, maxID},
		{"SessionID", &f.SessionID, maxID},
	}
}
