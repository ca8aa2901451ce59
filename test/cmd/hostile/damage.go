package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"

	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// holding is the content of an inbox: its messages by channel and state.
type holding map[string]map[string][]traffic.Message

// stateDead is the state of a dead letter.
const stateDead = "dead"

// export reads an inbox with the connector's own command. exit is its exit code.
func export(ctx context.Context, binary, inbox string) (h holding, exit int) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "inbox", "export", "--path", inbox)
	cmd.Stdout = &out
	if err := cmd.Run(); cmd.ProcessState == nil {
		must.Do(err)
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
			must.Do(fmt.Errorf("a line of the export: %w", err))
		}
		if h[line.Channel] == nil {
			h[line.Channel] = make(map[string][]traffic.Message)
		}
		h[line.Channel][line.State] = append(h[line.Channel][line.State], must.Get(traffic.ParseMessage(line.Body)))
	}
	must.Do(lines.Err())
	return h, cmd.ProcessState.ExitCode()
}

// of returns all messages of a channel.
func (h holding) of(channel string) (all []traffic.Message) {
	for _, messages := range h[channel] {
		all = append(all, messages...)
	}
	return all
}

// missing are the owed messages that are not among others.
func missing(owed, others []traffic.Message) []traffic.Message {
	return sets.New(owed...).Delete(others...).UnsortedList()
}

// damaged is a copy of a stopped inbox, with the messages that it owes.
type damaged struct {
	path string
	owed map[string][]traffic.Message
	harm string
}

// copyInbox copies the stopped connector's inbox and damages a file of it.
func (c *campaign) copyInbox() *damaged {
	d := &damaged{path: filepath.Join(c.folder, "copy"), owed: make(map[string][]traffic.Message)}
	for _, ch := range c.channels {
		d.owed[ch.name] = ch.owed()
	}
	must.Do(os.CopyFS(d.path, os.DirFS(c.connector.Inbox)))
	c.harm(d)
	return d
}

// harm flips a bit of a random file, cuts the file, or empties it. The end of the newest log is spared: no store can
// tell damage there from a write that a loss of power cut short.
func (c *campaign) harm(d *damaged) {
	var files, logs []string
	must.Do(filepath.WalkDir(d.path, func(path string, entry fs.DirEntry, err error) error {
		if info, statErr := entry.Info(); err == nil && statErr == nil && entry.Type().IsRegular() && info.Size() > 0 {
			files = append(files, path)
			if strings.HasSuffix(path, ".log") {
				logs = append(logs, path)
			}
		}
		return err
	}))
	if len(logs) > 0 {
		newest := slices.Max(logs)
		files = slices.DeleteFunc(files, func(path string) bool { return path == newest })
	}
	path := files[c.random.IntN(len(files))]
	content := must.Get(os.ReadFile(path))
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
	must.Do(os.WriteFile(path, content, 0o600))
}

// examine judges a damaged copy: by its export, and by serving it.
func (c *campaign) examine(ctx context.Context, d *damaged) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c.Within(func() {
		c.Cleanup(func() { must.Do(os.RemoveAll(d.path)) })
		if h, exit := export(ctx, c.connector.binary, d.path); exit != 0 {
			c.count("damaged copies whose export said so")
		} else {
			c.judgeCopy(d, "export with exit code 0", h.of)
		}
		c.serveCopy(ctx, d)
	})
}

// listsDeadLetters reports whether all dead letters can be read.
func (c *campaign) listsDeadLetters(of *connector) bool {
	return !slices.ContainsFunc(c.channels, func(ch *channel) bool {
		return exec.Command(of.binary, "deadletters", "list", "--admin", of.Admin, "--channel", ch.name).Run() != nil
	})
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
func (c *campaign) serveCopy(ctx context.Context, d *damaged) {
	other := newConnector(c.connector.binary, filepath.Join(c.folder, "other"), d.path, c.connector.environment...)
	other.writesTo(c.log)
	other.SinkKey, other.files = c.connector.SinkKey, manyFiles
	bots := make(map[string]*traffic.Bot)
	for _, ch := range c.channels {
		bot := must.Get(traffic.NewBot(ctx, "127.0.0.1"))
		c.Cleanup(func() { _ = bot.Close() })
		bots[ch.name] = bot
		other.Channels = append(other.Channels, ch.settings(bot.URL()))
	}
	other.writeConfig()
	_, err := other.Start(ctx)
	c.Cleanup(func() {
		if !other.Life().Ended() {
			other.kill()
		}
	})
	if err == nil {
		err = other.becomes(ctx, "inbox_backlog_events", is(0), 30*time.Second)
	}
	switch {
	case other.Life().Ended():
		c.count("damaged copies that refused to serve")
		return
	case err != nil:
		c.promises.brokenf(promiseDamage, "%s: neither served nor refused: %v", d.harm, err)
		return
	case !c.listsDeadLetters(other): // damaged ones show only in a list of them
		c.count("damaged copies that said so of their dead letters")
		return
	}
	if err := other.Stop(gracePeriod); err != nil {
		c.promises.brokenf(promiseStop, "a copy with %s: %v", d.harm, err)
	}
	c.count("damaged copies that were served")
	h, _ := export(ctx, other.binary, d.path)
	c.judgeCopy(d, "served to its end", func(channel string) []traffic.Message {
		held := h.of(channel)
		for _, a := range bots[channel].Arrivals() {
			held = append(held, a.Message)
		}
		return held
	})
}
