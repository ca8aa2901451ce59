package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// go starts compilers and linkers, which must not go on for minutes after Ctrl-C.
func TestInterruptReachesWhatAChildStarted(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		// The last command keeps the outer shell from becoming the inner one.
		_, err := Output(ctx, exec.CommandContext(ctx, "sh", "-c", `sh -c 'echo $$ >"$0"; exec sleep 3600' "$0"; true`, pid))
		done <- err
	}()
	await(t, "the child of the child", func() bool { return read(t, pid) != "" })
	interrupt()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v, want %v", err, context.Canceled)
	}
	await(t, "the end of the child's child", func() bool { return gone(t, read(t, pid)) })
}

// read returns the text of a file, "" while it does not exist.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// gone reports whether no process has this id any more.
func gone(t *testing.T, pid string) bool {
	t.Helper()
	id, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	return errors.Is(syscall.Kill(id, 0), syscall.ESRCH)
}

func TestLongOutputIsCut(t *testing.T) {
	_, err := Output(t.Context(), exec.CommandContext(t.Context(), "sh", "-c", "seq 1 100 >&2; exit 3"))
	if err == nil {
		t.Fatal("no error")
	}
	if text := err.Error(); !strings.Contains(text, "exit status 3\n  81\n") || !strings.HasSuffix(text, "\n  100") {
		t.Errorf("the error does not end with the last 20 lines: %s", text)
	}
}

// await waits until holds is true.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := Await(t.Context(), what, func() (bool, error) { return holds(), nil }); err != nil {
		t.Fatal(err)
	}
}
