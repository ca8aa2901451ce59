package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// list streams: a channel may hold a hundred thousand dead letters.
func (c Connector) list(w http.ResponseWriter, r *http.Request) {
	channel, err := c.channel(r.Context(), r.URL.Query().Get("channel"))
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	for letter, err := range c.Inbox.DeadLetters(channel) {
		line := listLine{DeadLetter: summary(letter)}
		if err != nil {
			c.Log.Error(err, "The dead letters cannot be read", "channel", channel)
			line = listLine{Error: "the inbox cannot be read further: " + err.Error()}
		}
		if err := lines.Encode(line); err != nil {
			return // the caller has gone
		}
	}
}

// show returns one dead letter with its event.
func (c Connector) show(r *http.Request) (any, error) {
	channel, err := c.channel(r.Context(), r.URL.Query().Get("channel"))
	if err != nil {
		return nil, err
	}
	id, err := event.ParseID(r.URL.Query().Get("id"))
	if err != nil {
		return nil, refused{http.StatusBadRequest, err.Error()}
	}
	for letter, err := range c.Inbox.DeadLetters(channel) {
		if err != nil {
			return nil, c.inboxError(channel, err)
		}
		if letter.Event.ID == id {
			return whole(letter), nil
		}
	}
	return nil, c.inboxError(channel, inbox.ErrNotFound)
}

// change serves a redrive or a drop; done says which, in the log.
func (c Connector) change(done string, apply func(ctx context.Context, channel string, ids ...event.ID) (int, error)) answerer {
	return func(r *http.Request) (any, error) {
		var selected Selection
		request := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxRequestSize))
		request.DisallowUnknownFields()
		if err := request.Decode(&selected); err != nil {
			return nil, refused{http.StatusBadRequest, "the request is no selection: " + err.Error()}
		}
		ids, err := selected.parse()
		if err != nil {
			return nil, refused{http.StatusBadRequest, err.Error()}
		}
		channel, err := c.channel(r.Context(), selected.Channel)
		if err != nil {
			return nil, err
		}
		n, err := apply(r.Context(), channel, ids...)
		if n > 0 || err == nil {
			c.Log.Info("Dead letters were "+done+" by hand", "channel", channel, "count", n, "complete", err == nil)
		}
		if n > 0 && err != nil { // a caller that tries again must know that a part is done
			err = fmt.Errorf("%d %s, the rest not: %w", n, done, err)
		}
		return changed{n}, c.inboxError(channel, err)
	}
}

// parse returns the ids, none for all.
func (s Selection) parse() ([]event.ID, error) {
	if s.All == (len(s.IDs) > 0) {
		return nil, errors.New("select dead letters either by ids or all of them")
	}
	ids := make([]event.ID, len(s.IDs))
	for i, text := range s.IDs {
		var err error
		if ids[i], err = event.ParseID(text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// channel returns the channel that a call names, or the only one there is. It refuses a channel that is neither
// configured nor stored: a slip in its name must not look like a channel without dead letters.
func (c Connector) channel(ctx context.Context, named string) (string, error) {
	configured := byName(c.Config().Channels)
	if configured[named] != nil || slices.Contains(c.Inbox.Channels(), named) {
		return named, nil
	}
	var there []string
	present, _ := inbox.Present(ctx, c.Inbox, configured)
	for _, channel := range present {
		there = append(there, channel.Name)
	}
	switch {
	case named != "":
		return "", refused{http.StatusNotFound, fmt.Sprintf("no channel is named %q: %s", named, listed(there))}
	case len(there) == 1:
		return there[0], nil
	default:
		return "", refused{http.StatusBadRequest, "name the channel: " + listed(there)}
	}
}

// maxListed channels are named in an error.
const maxListed = 20

// listed says which channels there are.
func listed(channels []string) string {
	quoted := make([]string, min(len(channels), maxListed))
	for i := range quoted {
		quoted[i] = strconv.Quote(channels[i])
	}
	switch more := len(channels) - len(quoted); {
	case len(channels) == 0:
		return "there is none"
	case len(channels) == 1:
		return "there is only " + quoted[0]
	case more > 0:
		return fmt.Sprintf("there are %s and %d more, see \"connector status\"", strings.Join(quoted, ", "), more)
	}
	return "there are " + strings.Join(quoted, ", ")
}

// inboxError is the refusal for an error of the inbox, nil for none.
func (c Connector) inboxError(channel string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, inbox.ErrNotFound):
		return refused{http.StatusNotFound, err.Error()}
	case errors.Is(err, inbox.ErrFull), errors.Is(err, inbox.ErrDiskFull), errors.Is(err, inbox.ErrClosed):
		return refused{http.StatusServiceUnavailable, err.Error()}
	}
	c.Log.Error(err, "The dead letters cannot be read or changed", "channel", channel)
	return fmt.Errorf("inbox: %w", err)
}

func summary(d inbox.DeadLetter) *DeadLetter {
	return &DeadLetter{
		ID: d.Event.ID.String(), Type: d.Event.Type, Reason: d.Reason, Attempts: d.Attempts, AcceptedAt: d.AcceptedAt, DiedAt: d.DiedAt,
	}
}

func whole(d inbox.DeadLetter) *Letter {
	return &Letter{
		DeadLetter: *summary(d),
		Channel:    d.Event.Channel, Source: d.Event.Source, Subject: d.Event.Subject, Conversation: d.Event.Conversation,
		Time: d.Event.Time, ContentType: d.Event.ContentType, Body: d.Event.Body,
	}
}
