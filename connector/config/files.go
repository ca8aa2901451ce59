package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"xbot.a4b.vn/channel-connector/connector/digest"
)

// maxFileSize bounds every file that is read, in bytes, so that a wrong path cannot exhaust the memory. It is far above
// any honest configuration.
const maxFileSize = 16 << 20

// files reads each file of a version only once. So the content that is checked is also used and covered by the digest,
// even while files change.
type files struct {
	// source returns the content of the file with that name.
	source func(name string) ([]byte, error)
	names  []string
	read   map[string]file
}

// The errors of a path that leads to no file that can be read.
var (
	errNotRegular = errors.New("not a regular file")
	errHuge       = fmt.Errorf("larger than %d bytes", maxFileSize)
)

type file struct {
	content []byte
	err     error
}

func newFiles(source func(name string) ([]byte, error)) *files {
	return &files{source: source, read: map[string]file{}}
}

// open returns the content of the file with that name.
func (f *files) open(name string) ([]byte, error) {
	if known, ok := f.read[name]; ok {
		return known.content, known.err
	}
	content, err := f.source(name)
	f.names = append(f.names, name)
	f.read[name] = file{content, err}
	return content, err
}

// digest identifies the contents read so far. A file that cannot be read counts with its reason: its return is a
// change, and so is another reason.
func (f *files) digest() string {
	parts := make([][]byte, 0, 2*len(f.names))
	for _, name := range f.names {
		var reason []byte
		if err := f.read[name].err; err != nil {
			reason = []byte(err.Error())
		}
		parts = append(parts, f.read[name].content, reason)
	}
	return digest.Text(parts...)
}

// digestOf returns the digest that files with these names have now.
func digestOf(names []string) string {
	f := newFiles(readFile)
	for _, name := range names {
		_, _ = f.open(name) // a failure is part of the digest
	}
	return f.digest()
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular // reading a pipe could block for ever
	}
	opened, err := os.Open(name) //nolint:gosec // the operator of the process names the files
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = opened.Close() }()
	content, err := io.ReadAll(io.LimitReader(opened, maxFileSize+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(content) > maxFileSize {
		return nil, errHuge
	}
	return content, nil
}

// reason drops the operation and the path from a file system error; the caller names the file.
func reason(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}
