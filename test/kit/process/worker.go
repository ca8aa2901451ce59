package process

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
)

// Worker is the running program, started a second time to do a part of the work.
type Worker struct {
	*Process
	orders  io.Closer
	answers *json.Decoder
}

// StartWorker starts a worker with a role and its orders, sent as JSON. by is a command that starts it, such as
// taskset. The worker ends with ctx, and with this process.
func StartWorker(ctx context.Context, role string, orders any, by ...string) (*Worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(slices.Clone(by), self, role)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	// A pipe that Wait does not close: an answer can be read after the end.
	read, write, outErr := os.Pipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, err
	}
	defer func() { _ = write.Close() }() // the child has a copy
	cmd.Stdout = write
	w := &Worker{orders: in, answers: json.NewDecoder(read)}
	if w.Process, err = Start(cmd); err != nil {
		return nil, err
	}
	return w, json.NewEncoder(in).Encode(orders)
}

// Dismiss asks the worker to end. It may still answer.
func (w *Worker) Dismiss() { _ = w.orders.Close() } // it fails only after the worker's end

// Answer waits for the worker's next answer. The error is io.EOF if it ends without one.
func (w *Worker) Answer(answer any) error { return w.answers.Decode(answer) }

// Role is the worker's side: it reads orders and writes answers.
type Role func(in io.Reader, out io.Writer) error

// NewRole makes a role of a function. It is given the orders, a function that sends an answer, and a channel that is
// closed when the worker is to end.
func NewRole[Orders any](work func(o Orders, answer func(any) error, dismissed <-chan struct{}) error) Role {
	return func(in io.Reader, out io.Writer) error {
		var orders Orders
		if err := json.NewDecoder(in).Decode(&orders); err != nil {
			return err
		}
		dismissed := make(chan struct{})
		go func() {
			defer close(dismissed)
			_, _ = io.Copy(io.Discard, in) // it also ends with the parent
		}()
		return work(orders, json.NewEncoder(out).Encode, dismissed)
	}
}

// Roles are those of a program, by name.
type Roles map[string]Role

// Play plays the role that StartWorker has named. It reports false if the process is no worker.
func (r Roles) Play() (played bool, err error) {
	if len(os.Args) != 2 || r[os.Args[1]] == nil {
		return false, nil
	}
	return true, r[os.Args[1]](os.Stdin, os.Stdout)
}
