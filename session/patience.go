package session

import (
	"context"
	"sync/atomic"
	"time"
)

// A patience limits how long the store may take to answer several requests at
// once. A limit of its own for each question would cost as much as half of what
// database/sql does for it: so questions of the same moment share one, which is
// up by askTimeout, and no more than turnEvery before.
type patience struct{ latest atomic.Pointer[limit] }

const turnEvery = 250 * time.Millisecond

type limit struct {
	ctx   context.Context
	begun time.Time
}

func (p *patience) now() context.Context {
	now, latest := time.Now(), p.latest.Load()
	if latest != nil && now.Sub(latest.begun) < turnEvery {
		return latest.ctx
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	context.AfterFunc(ctx, cancel)
	p.latest.CompareAndSwap(latest, &limit{ctx, now})
	return ctx
}

// A question is the context of what is asked for several requests: it has the
// values of the first, and does not end with it.
type question struct {
	context.Context // of a limit
	values          context.Context
}

// Value finds the limit first, so that package context knows the one it made
// and needs no goroutine to watch it. A limit has no other values.
func (q *question) Value(key any) any {
	if v := q.Context.Value(key); v != nil {
		return v
	}
	return q.values.Value(key)
}
