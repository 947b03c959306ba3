package session

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// It is internal because only so can a question be left unanswered for seconds
// in no time.
func TestPatience(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		var p patience
		begun := time.Now()
		request, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "of the request"))
		q := &question{p.now(), request}
		if again := p.now(); again != q.Context {
			t.Error("two questions of one moment have a limit each")
		}
		leave()
		if q.Err() != nil || q.Value(key{}) != "of the request" {
			t.Errorf("the request is over: got %v and value %v, want no end and the request's value", q.Err(), q.Value(key{}))
		}
		child, cancel := context.WithCancel(q)
		defer cancel()
		<-child.Done()
		if took := time.Since(begun); took != askTimeout || !errors.Is(child.Err(), context.DeadlineExceeded) {
			t.Errorf("ended after %v with %v, want %v and that the deadline has passed", took, child.Err(), askTimeout)
		}
		if late := p.now(); late.Err() != nil {
			t.Error("a limit that is up was given away")
		}
		late := p.now()
		<-time.After(turnEvery)
		if later := p.now(); later == late {
			t.Errorf("after %v the limit is the same", turnEvery)
		}
	})
}
