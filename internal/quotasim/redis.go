package main

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/demeterrr/demeterrr-go"
	"github.com/demeterrr/demeterrr-go/redislimit"
	"github.com/redis/go-redis/v9"
)

// roundTrip is the time that a Redis command takes.
const roundTrip = time.Millisecond

// redisDouble is a Redis with a virtual clock. It runs outside of the virtual
// time, which stands still while a command is in flight.
type redisDouble struct{ server *miniredis.Miniredis }

// newRedisDouble starts the double if it is needed.
func newRedisDouble(t *testing.T, needed bool) *redisDouble {
	t.Helper()
	if !needed {
		return nil
	}
	return &redisDouble{server: miniredis.RunT(t)}
}

// process returns the limiters of one process, with its own connection.
func (d *redisDouble) process(t *testing.T) newLimiter {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: d.server.Addr(), DisableIdentity: true})
	rdb.AddHook(d)
	t.Cleanup(func() { _ = rdb.Close() })
	return func(key string, limits []demeterrr.Limit) demeterrr.Limiter {
		limiter, err := redislimit.New(rdb, key, limits)
		if err != nil {
			t.Fatal(err)
		}
		return limiter
	}
}

// DialHook implements redis.Hook.
func (d *redisDouble) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook takes the time of a round trip, and sets the server's clock
// half-way. The virtual time stands still while a command is on the network, so
// several commands at once have the same time.
func (d *redisDouble) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" { // a command of the connection, within another command
			return next(ctx, cmd)
		}
		time.Sleep(roundTrip / 2)
		d.server.SetTime(time.Now())
		err := next(ctx, cmd)
		time.Sleep(roundTrip / 2)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook; limiters need no pipeline.
func (d *redisDouble) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
