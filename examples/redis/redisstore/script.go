package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gatepass/gatepass/store"
	"github.com/redis/go-redis/v9"
)

// What must be one step is a script. An entry is a hash, of a session or of a
// remembered browser:
//
//	r  the record, save for what follows
//	u  its user, or nothing
//	g  the service's session, or nothing
//	c  when it was created
//	a  when it was seen or used
//	e  when it is over
//	n  the call that wrote it
//	v  a session's values, or what the browser's secret is compared with
//
// Beside them are lists, each a sorted set by e: one for each user and one for
// each session of a service. An entry lives only while its lists have it, so
// that whoever ends all that is in a list has ended all there is.
const prelude = `
local p, now = ARGV[1], tonumber(ARGV[2])

local function keep(key, e)
	-- What is over in three hundred years may be over sooner.
	redis.call('PEXPIRE', key, math.min(tonumber(e) - now, 1e13))
end

local function lists(kind, u, g)
	local all = {}
	if u and u ~= '' then all[#all + 1] = p .. kind .. '-user:' .. u end
	if g and g ~= '' then all[#all + 1] = p .. kind .. '-sid:' .. g end
	return all
end

local function entry(kind, id)
	local h = redis.call('HMGET', p .. kind .. ':' .. id, 'u', 'g', 'e', 'r', 'c', 'a', 'n')
	if not h[3] or tonumber(h[3]) <= now then return nil end
	for _, list in ipairs(lists(kind, h[1], h[2])) do
		if not redis.call('ZSCORE', list, id) then return nil end
	end
	return h
end

local function enlist(kind, id, u, g, e)
	for _, list in ipairs(lists(kind, u, g)) do
		redis.call('ZREMRANGEBYSCORE', list, '-inf', ARGV[2])
		redis.call('ZADD', list, e, id)
		keep(list, redis.call('ZRANGE', list, -1, -1, 'WITHSCORES')[2])
	end
end

local function drop(kind, id)
	local key = p .. kind .. ':' .. id
	local h = redis.call('HMGET', key, 'u', 'g')
	redis.call('DEL', key)
	for _, list in ipairs(lists(kind, h[1], h[2])) do
		redis.call('ZREM', list, id)
	end
end

-- put stores the fields r, u, g, c, a, e and n, which begin at ARGV[i].
local function put(kind, id, i, v)
	drop(kind, id)
	local key, e = p .. kind .. ':' .. id, ARGV[i + 5]
	if tonumber(e) <= now then return end
	redis.call('HSET', key, 'r', ARGV[i], 'u', ARGV[i + 1], 'g', ARGV[i + 2], 'c', ARGV[i + 3],
		'a', ARGV[i + 4], 'e', e, 'n', ARGV[i + 6])
	if v ~= '' then redis.call('HSET', key, 'v', v) end
	keep(key, e)
	enlist(kind, id, ARGV[i + 1], ARGV[i + 2], e)
end
`

// A client that was not answered sends a call again. So a call that finds its
// own work done is told that it did it.
const (
	// kind, ID, fields, values, IDs of those whose place it takes
	createLua = `
local kind, id = ARGV[3], ARGV[4]
local h = entry(kind, id)
if h then return h[7] == ARGV[11] and 'done' or 'exists' end
for i = 13, #ARGV do drop(kind, ARGV[i]) end
put(kind, id, 5, ARGV[12])
return 'done'`

	// kind, ID, whether its values are wanted. Every request comes by here, and to
	// make the functions of the prelude takes longer than this.
	readLua = `
local h = redis.call('HMGET', KEYS[1], 'u', 'g', 'e', 'r', 'c', 'a', 'n')
if not h[3] or tonumber(h[3]) <= tonumber(ARGV[2]) then return false end
local list = ARGV[1] .. ARGV[3]
if h[1] and h[1] ~= '' and not redis.call('ZSCORE', list .. '-user:' .. h[1], ARGV[4]) then return false end
if h[2] and h[2] ~= '' and not redis.call('ZSCORE', list .. '-sid:' .. h[2], ARGV[4]) then return false end
if ARGV[5] == '1' then h[8] = redis.call('HGET', KEYS[1], 'v') end
return h`

	// kind
	listLua = `
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[2], '+inf')) do
	local h = entry(ARGV[3], id)
	if h then
		h[8] = ARGV[3] == 'remembered' and redis.call('HGET', p .. ARGV[3] .. ':' .. id, 'v')
		h[9] = id
		found[#found + 1] = h
	else
		redis.call('ZREM', KEYS[1], id)
	end
end
return found`

	// ID, seen, expires
	touchLua = `
local id, seen, e = ARGV[3], ARGV[4], ARGV[5]
local h = entry('session', id)
if not h then return 'none' end
if tonumber(seen) < tonumber(h[6]) then return 'done' end
redis.call('HSET', KEYS[1], 'a', seen)
if tonumber(e) > tonumber(h[3]) then
	redis.call('HSET', KEYS[1], 'e', e)
	keep(KEYS[1], e)
	enlist('session', id, h[1], h[2], e)
end
return 'done'`

	// kind, ID
	deleteLua = `
drop(ARGV[3], ARGV[4])
return 'done'`

	// kind, except
	deleteUserLua = `
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
	if ARGV[4] == '' or id ~= ARGV[4] then
		drop(ARGV[3], id)
		redis.call('ZREM', KEYS[1], id)
	end
end
return 'done'`

	// new ID, old ID, fields
	renewLua = `
local id, old = ARGV[3], ARGV[4]
local h = entry('session', id)
if h then return h[7] == ARGV[11] and 'done' or 'exists' end
if not entry('session', old) then return 'none' end
local v = redis.call('HGET', p .. 'session:' .. old, 'v') or ''
drop('session', old)
put('session', id, 5, v)
return 'done'`

	// ID, old, new, call
	swapValuesLua = `
local h = entry('session', ARGV[3])
if not h then return 'none' end
if h[7] == ARGV[6] then return 'done' end
if (redis.call('HGET', KEYS[1], 'v') or '') ~= ARGV[4] then return 'exists' end
if ARGV[5] == '' then redis.call('HDEL', KEYS[1], 'v') else redis.call('HSET', KEYS[1], 'v', ARGV[5]) end
redis.call('HSET', KEYS[1], 'n', ARGV[6])
return 'done'`

	// ID, validator, fields, new validator
	swapRememberedLua = `
local h = entry('remembered', ARGV[3])
if not h then return 'none' end
if h[7] == ARGV[11] then return 'done' end
if (redis.call('HGET', KEYS[1], 'v') or '') ~= ARGV[4] then return 'exists' end
ARGV[6], ARGV[8] = h[1], h[5]
put('remembered', ARGV[3], 5, ARGV[12])
return 'done'`

	// until, call
	markLua = `
local was = redis.call('GET', KEYS[1])
if was then
	local till, call = string.match(was, '^(%S+) (%S+)$')
	if till and tonumber(till) > now then return call == ARGV[4] and 'done' or 'exists' end
end
if tonumber(ARGV[3]) > now then
	redis.call('SET', KEYS[1], ARGV[3] .. ' ' .. ARGV[4])
	keep(KEYS[1], ARGV[3])
else
	redis.call('DEL', KEYS[1])
end
return 'done'`

	markedLua = `
local was = redis.call('GET', KEYS[1])
local till = was and string.match(was, '^(%S+) ')
return till and tonumber(till) > now and 'done' or 'none'`
)

type scripts struct {
	create, read, list, touch, delete, deleteUser, renew, swapValues, swapRemembered, mark, marked *redis.Script
}

func newScripts() scripts {
	of := func(text string) *redis.Script { return redis.NewScript(prelude + text) }
	return scripts{
		create: of(createLua), read: redis.NewScript(readLua), list: of(listLua), touch: of(touchLua), delete: of(deleteLua),
		deleteUser: of(deleteUserLua), renew: of(renewLua), swapValues: of(swapValuesLua),
		swapRemembered: of(swapRememberedLua), mark: of(markLua), marked: of(markedLua),
	}
}

// run runs a script that is about key, and returns what it returns, or nil.
func (s *Store) run(ctx context.Context, op string, script *redis.Script, key string, args ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redisstore: %s: %w", op, err)
	}
	ask := func() (any, error) {
		args := append([]any{s.prefix, s.now().UnixMilli()}, args...)
		return script.Run(ctx, s.client, []string{s.prefix + key}, args...).Result()
	}
	deadline, limited := ctx.Deadline()
	var value any
	var err error
	if ctx.Done() == nil || limited && s.heeds {
		value, err = ask()
		// The connection's deadline may be noticed before the context's.
		if errors.Is(err, os.ErrDeadlineExceeded) && limited && !time.Now().Before(deadline) {
			err = context.DeadlineExceeded
		}
	} else {
		value, err = wait(ctx, ask)
	}
	switch {
	case errors.Is(err, redis.Nil):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("redisstore: %s: %w", op, err)
	}
	return value, nil
}

// wait waits for what the client answers, or until ctx is done, of which the
// client takes no notice while it reads.
func wait(ctx context.Context, ask func() (any, error)) (any, error) {
	type answer struct {
		value any
		err   error
	}
	came := make(chan answer, 1)
	go func() {
		value, err := ask()
		came <- answer{value, err}
	}()
	select {
	case a := <-came:
		return a.value, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// heeds reports whether a client looks at the deadlines of contexts.
func heeds(client redis.UniversalClient) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return c.Options().ContextTimeoutEnabled
	}
	return false
}

// do runs a script that says how it went.
func (s *Store) do(ctx context.Context, op string, script *redis.Script, key string, args ...any) error {
	value, err := s.run(ctx, op, script, key, args...)
	if err != nil {
		return err
	}
	switch value {
	case "done":
		return nil
	case "none":
		return store.ErrNotFound
	case "exists":
		return store.ErrExists
	}
	return fmt.Errorf("redisstore: %s: want a word for how it went, got %T", op, value)
}

// call returns a name for a call, by which it knows its own work.
func call() string { return rand.Text() }
