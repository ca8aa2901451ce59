package command

import (
	"context"
	"fmt"
	"time"
)

// patience is how long any step of a start may take on a busy computer.
const patience = 2 * time.Minute

// Await polls done until it returns true or an error. It gives up after patience.
func Await(ctx context.Context, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("still not after %s", patience))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}
