package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// holding is what an inbox holds of each channel.
type holding map[string]*struct{ pending, dead []traffic.Message }

// export reads an inbox with the connector's own command. exit is its exit code.
func export(ctx context.Context, binary, inbox string) (h holding, exit int, err error) {
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "inbox", "export", "--path", inbox)
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return nil, 0, err
	}
	h = make(holding)
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var line struct {
			Channel, State string
			Body           []byte `json:"data_base64"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, 0, fmt.Errorf("a line of the export: %w", err)
		}
		m, err := traffic.ParseMessage(line.Body)
		if err != nil {
			return nil, 0, err
		}
		h.add(line.Channel, line.State, m)
	}
	return h, cmd.ProcessState.ExitCode(), lines.Err()
}

func (h holding) add(channel, state string, m traffic.Message) {
	if h[channel] == nil {
		h[channel] = &struct{ pending, dead []traffic.Message }{}
	}
	if state == "dead" {
		h[channel].dead = append(h[channel].dead, m)
	} else {
		h[channel].pending = append(h[channel].pending, m)
	}
}

// of returns all of a channel.
func (h holding) of(channel string) []traffic.Message {
	if h[channel] == nil {
		return nil
	}
	return slices.Concat(h[channel].pending, h[channel].dead)
}

// missing are the messages that are owed and not among others.
func missing(owed, others []traffic.Message) (lost []traffic.Message) {
	held := make(map[traffic.Message]bool, len(others))
	for _, m := range others {
		held[m] = true
	}
	for _, m := range owed {
		if !held[m] {
			lost = append(lost, m)
		}
	}
	return lost
}

// damaged is a copy of a stopped inbox and what it owes.
type damaged struct {
	path string
	owed map[string][]traffic.Message
	harm string
}

// copyInbox copies the stopped connector's inbox and damages a file of it.
func (c *campaign) copyInbox() (*damaged, error) {
	d := &damaged{path: filepath.Join(c.folder, "copy"), owed: make(map[string][]traffic.Message)}
	for _, ch := range c.channels {
		d.owed[ch.name] = ch.owed()
	}
	if err := os.CopyFS(d.path, os.DirFS(c.connector.Inbox)); err != nil {
		return nil, err
	}
	return d, c.harm(d)
}

// harm flips a bit of a random file, cuts the file, or empties it. The end of the
// newest log is spared: no store can tell damage there from a write that a loss of
// power cut short.
func (c *campaign) harm(d *damaged) error {
	var files []string
	err := filepath.WalkDir(d.path, func(path string, entry fs.DirEntry, err error) error {
		if info, statErr := entry.Info(); err == nil && statErr == nil && entry.Type().IsRegular() && info.Size() > 0 {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	logs := slices.DeleteFunc(slices.Clone(files), func(path string) bool { return !strings.HasSuffix(path, ".log") })
	slices.Sort(logs)
	if len(logs) > 0 {
		files = slices.DeleteFunc(files, func(path string) bool { return path == logs[len(logs)-1] })
	}
	path := files[c.random.IntN(len(files))]
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	at := c.random.IntN(len(content))
	switch c.random.IntN(4) {
	case 0:
		content, d.harm = nil, "emptied"
	case 1:
		content, d.harm = content[:at], fmt.Sprintf("cut at %d of %d", at, len(content))
	case 2: // near the end, where the last records are
		at = len(content) - 1 - c.random.IntN(min(len(content), 40))
		fallthrough
	default:
		content[at] ^= 1 << c.random.IntN(8)
		d.harm = fmt.Sprintf("a bit flipped at %d of %d", at, len(content))
	}
	d.harm = filepath.Base(path) + " " + d.harm
	return os.WriteFile(path, content, 0o600)
}

// examine judges a damaged copy: by its export, and by serving it.
func (c *campaign) examine(ctx context.Context, d *damaged) (err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(d.path)) }()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	h, exit, err := export(ctx, c.connector.binary, d.path)
	if err != nil {
		return err
	}
	if exit != 0 {
		c.count("damaged copies whose export said so")
	} else {
		c.judgeCopy(d, "export with exit code 0", h.of)
	}
	return c.serveCopy(ctx, d)
}

// listsDeadLetters reports whether all dead letters can be read.
func (c *campaign) listsDeadLetters(of *connector) bool {
	for _, ch := range c.channels {
		if exec.Command(of.binary, "deadletters", "list", "--admin", of.Admin, "--channel", ch.name).Run() != nil {
			return false
		}
	}
	return true
}

func (c *campaign) judgeCopy(d *damaged, what string, held func(channel string) []traffic.Message) {
	for name, owed := range d.owed {
		if lost := missing(owed, held(name)); len(lost) > 0 {
			c.promises.brokenf(promiseDamage, "%s: %s: %d of %d events of %s are missing, such as %v",
				d.harm, what, len(lost), len(owed), name, lost[0])
		}
	}
}

// serveCopy lets a connector of its own deliver the copy to bots that take all.
func (c *campaign) serveCopy(ctx context.Context, d *damaged) error {
	other, err := newConnector(c.connector.binary, filepath.Join(c.folder, "other"), d.path, c.connector.environment...)
	if err != nil {
		return err
	}
	other.writesTo(c.log)
	other.SinkKey, other.files = c.connector.SinkKey, manyFiles
	bots := make(map[string]*traffic.Bot)
	for _, ch := range c.channels {
		if bots[ch.name], err = traffic.NewBot(ctx, "127.0.0.1"); err != nil {
			return err
		}
		defer func() { _ = bots[ch.name].Close() }()
		other.Channels = append(other.Channels, ch.settings(bots[ch.name].URL()))
	}
	if err := other.writeConfig(); err != nil {
		return err
	}
	_, err = other.Start(ctx)
	if err == nil {
		err = other.becomes(ctx, "inbox_backlog_events", is(0), 30*time.Second)
	}
	switch {
	case other.Life().Ended():
		c.count("damaged copies that refused to serve")
		return nil
	case err != nil:
		c.promises.brokenf(promiseDamage, "%s: neither served nor refused: %v", d.harm, err)
		other.kill()
		return nil
	}
	// Damage among the dead letters shows when somebody asks for them.
	if !c.listsDeadLetters(other) {
		c.count("damaged copies that said so of their dead letters")
		other.kill()
		return nil
	}
	if err := other.Stop(gracePeriod); err != nil {
		c.promises.brokenf(promiseStop, "a copy with %s: %v", d.harm, err)
	}
	c.count("damaged copies that were served")
	h, _, err := export(ctx, other.binary, d.path)
	if err != nil {
		return err
	}
	c.judgeCopy(d, "served to its end", func(channel string) []traffic.Message {
		held := h.of(channel)
		for _, a := range bots[channel].Arrivals() {
			held = append(held, a.Message)
		}
		return held
	})
	return nil
}
