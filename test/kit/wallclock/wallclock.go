// Package wallclock builds a connector whose wall clock a test can set, while the machine's own stays as it is.
//
// The connector is built with go build -overlay: time.Now adds an offset to the wall clock's seconds and leaves the
// monotonic reading alone, as after a step of the system's clock. An additional file in cmd/connector reads the offset
// from a file, a few times a second. The product's own source knows nothing of it.
package wallclock

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// Variable names the file of the offset in the connector's environment.
const Variable = "TEST_WALL_CLOCK"

// Latency is how long a running connector may take to see a new offset, on a machine that is not overloaded.
const Latency = 50 * time.Millisecond

// offsetSource is a file of package time, readerSource one of the connector's main package.
var (
	//go:embed overlay/offset.go.txt
	offsetSource []byte
	//go:embed overlay/reader.go.txt
	readerSource []byte
)

// In package time, Now reads the clock by the first of these lines.
const (
	readsClock = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	addsOffset = "\tsec += wallOffset.Load()\n"
)

// Build compiles the connector into dir and returns the binary's path.
func Build(ctx context.Context, dir string) (string, error) {
	overlay, err := writeOverlay(ctx, dir)
	if err != nil {
		return "", err
	}
	return process.Build(ctx, dir, "connector", "-overlay", overlay)
}

// writeOverlay writes the files that differ from the source, and their list.
func writeOverlay(ctx context.Context, dir string) (string, error) {
	goroot, err := ask(ctx, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	module, err := ask(ctx, "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	clock := filepath.Join(goroot, "src", "time", "time.go")
	source, err := os.ReadFile(clock)
	if err != nil {
		return "", err
	}
	if bytes.Count(source, []byte(readsClock)) != 1 {
		return "", fmt.Errorf("%s reads the clock in another way than this package knows", clock)
	}
	replace := make(map[string]string)
	for path, content := range map[string][]byte{
		clock: bytes.Replace(source, []byte(readsClock), []byte(readsClock+addsOffset), 1),
		filepath.Join(filepath.Dir(clock), "wall_offset.go"):        offsetSource,
		filepath.Join(module, "cmd", "connector", "wall_offset.go"): readerSource,
	} {
		replace[path] = filepath.Join(dir, fmt.Sprintf("overlay-%d.go", len(replace)))
		err = errors.Join(err, os.WriteFile(replace[path], content, 0o600))
	}
	list, marshalErr := json.Marshal(map[string]any{"Replace": replace})
	path := filepath.Join(dir, "overlay.json")
	return path, errors.Join(err, marshalErr, os.WriteFile(path, list, 0o600))
}

func ask(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Clock is the path of a file with an offset; Env tells the connector.
type Clock string

// Env is the setting of a connector's environment.
func (c Clock) Env() string { return Variable + "=" + string(c) }

// Set moves the wall clock this far from the machine's, to the second. A running connector sees it after Latency.
func (c Clock) Set(offset time.Duration) error {
	next := string(c) + ".next"
	if err := os.WriteFile(next, []byte(strconv.FormatInt(int64(offset/time.Second), 10)), 0o600); err != nil {
		return err
	}
	return os.Rename(next, string(c))
}
