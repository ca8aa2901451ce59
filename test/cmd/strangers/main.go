// Command strangers attacks a connector as clients without a key would, one attack
// after the other, and prints how many signed calls are answered in time meanwhile,
// on kept and on new connections, and how much memory the connector takes. The
// connector is the real program, in a memory cgroup of 256 MiB where one can be
// made, or else with the GOMEMLIMIT that such a one comes to.
//
//	go run ./test/cmd/strangers                    # everything, about 10 minutes
//	go run ./test/cmd/strangers -attack held -for 1m
//	go run ./test/cmd/strangers -binary old/connector
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// stage is what the attacks have in common.
type stage struct {
	binary, folder string
	lasts          time.Duration
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == attackCommand {
		attackUntilStopped(os.Args[2], os.Args[3])
		return
	}
	only := flag.String("attack", "", "only the attacks whose names match this expression")
	binary := flag.String("binary", "", "the connector to attack; without it, it is built")
	lasts := flag.Duration("for", 30*time.Second, "how long each attack lasts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *binary, *only, *lasts); err != nil {
		fmt.Fprintln(os.Stderr, "strangers:", err)
		os.Exit(1) //nolint:gocritic // the signals end with the process
	}
}

func run(ctx context.Context, binary, only string, lasts time.Duration) (err error) {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "strangers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if binary == "" {
		if binary, err = process.Build(ctx, folder, "connector"); err != nil {
			return err
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	missed, err := stage{binary: binary, folder: folder, lasts: lasts}.attackAll(ctx, chosen)
	if err == nil && missed > 0 {
		return fmt.Errorf("%d attacks hurt: asked are %.1f %% of calls within %v and a peak below %d MiB", missed, asked, answerWithin, askedMiB)
	}
	return err
}

// attackAll runs every chosen attack, in plain text and with TLS, and counts those
// that hurt.
func (s stage) attackAll(ctx context.Context, chosen *regexp.Regexp) (missed int, err error) {
	fmt.Println(heading)
	for _, secure := range []bool{false, true} {
		for _, a := range attacks {
			a.Secure = secure
			if !chosen.MatchString(a.name()) || (a.SecureOnly && !secure) {
				continue
			}
			r, err := s.attack(ctx, a)
			if err != nil {
				return missed, fmt.Errorf("%s: %w", a.name(), err)
			}
			fmt.Println(r)
			if !r.met() {
				missed++
			}
		}
	}
	return missed, nil
}

// attack runs one attack against a connector of its own.
func (s stage) attack(ctx context.Context, a attack) (r result, err error) {
	c, err := s.start(ctx, a.Secure)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	before := c.callers(ctx)
	if err := pause(ctx, time.Second); err != nil { // the kept connections are verified by then
		return r, err
	}
	attackers, err := a.start(ctx, c)
	defer func() {
		for _, attacker := range attackers {
			attacker.Kill()
		}
	}()
	if err != nil {
		return r, err
	}
	err = c.survive(ctx, s.lasts)
	return result{attack: a.name(), kept: before.kept.stop(), fresh: before.fresh.stop(), peakMiB: c.peak, died: c.died}, err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
