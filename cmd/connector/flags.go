package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// The formats of several commands.
const (
	asText  = "text"
	asTable = "table"
	asJSON  = "json"
)

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

var _ pflag.Value = (*choice)(nil)

// oneOf returns a choice of words, the first being the default.
func oneOf(words ...string) *choice { return &choice{words[0], words} }

// String returns the word that was chosen.
func (c *choice) String() string { return c.value }

// Set chooses a word.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.allowed, word) {
		return fmt.Errorf("want %s", c.Type())
	}
	c.value = word
	return nil
}

// Type lists the words, for the help text.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// mayBeEmpty is the annotation of a flag whose value may be empty.
const mayBeEmpty = "may-be-empty"

// refuseEmpty refuses flags with an empty value. Such a value comes from an unset variable of a script; a command that
// ignored the flag would work on another connector or channel.
func refuseEmpty(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		if _, allowed := flag.Annotations[mayBeEmpty]; !allowed && flag.Value.String() == "" {
			err = fmt.Errorf("--%s is empty", flag.Name)
		}
	})
	return err
}

// isTerminal reports whether a person reads what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
