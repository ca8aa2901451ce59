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
	channel, ok := c.channel(w, r, r.URL.Query().Get("channel"))
	if !ok {
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

func (c Connector) show(w http.ResponseWriter, r *http.Request) {
	channel, ok := c.channel(w, r, r.URL.Query().Get("channel"))
	if !ok {
		return
	}
	id, err := event.ParseID(r.URL.Query().Get("id"))
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	for letter, err := range c.Inbox.DeadLetters(channel) {
		if err != nil {
			c.writeInboxError(w, channel, err)
			return
		}
		if letter.Event.ID == id {
			writeJSON(w, http.StatusOK, whole(letter))
			return
		}
	}
	c.writeInboxError(w, channel, inbox.ErrNotFound)
}

// change serves a redrive or a drop; done says which, in the log.
func (c Connector) change(done string, apply func(ctx context.Context, channel string, ids ...event.ID) (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var selected Selection
		request := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestSize))
		request.DisallowUnknownFields()
		if err := request.Decode(&selected); err != nil {
			writeError(w, http.StatusBadRequest, "the request is no selection: "+err.Error())
			return
		}
		ids, err := selected.parse()
		if err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
		channel, ok := c.channel(w, r, selected.Channel)
		if !ok {
			return
		}
		n, err := apply(r.Context(), channel, ids...)
		if n > 0 || err == nil {
			c.Log.Info("Dead letters were "+done+" by hand", "channel", channel, "count", n, "complete", err == nil)
		}
		switch {
		case err == nil:
			writeJSON(w, http.StatusOK, changed{n})
		case n > 0: // whoever tries again must know that a part is done
			c.writeInboxError(w, channel, fmt.Errorf("%d %s, the rest not: %w", n, done, err))
		default:
			c.writeInboxError(w, channel, err)
		}
	}
}

// parse returns the ids, none for all.
func (s Selection) parse() ([]event.ID, error) {
	if s.All == (len(s.IDs) > 0) {
		return nil, errors.New("select dead letters either by ids or all of them")
	}
	ids := make([]event.ID, len(s.IDs))
	for i, text := range s.IDs {
		id, err := event.ParseID(text)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// channel returns the channel that a call names, or the only one there is. It refuses a channel that is neither
// configured nor stored: a slip in its name must not look like a channel without dead letters.
func (c Connector) channel(w http.ResponseWriter, r *http.Request, named string) (name string, ok bool) {
	configured := byName(c.Config().Channels)
	if configured[named] != nil || slices.Contains(c.Inbox.Channels(), named) {
		return named, true
	}
	var there []string
	present, _ := inbox.Present(r.Context(), c.Inbox, configured)
	for _, channel := range present {
		there = append(there, channel.Name)
	}
	switch {
	case named != "":
		writeError(w, http.StatusNotFound, fmt.Sprintf("no channel is named %q: %s", named, listed(there)))
	case len(there) == 1:
		return there[0], true
	default:
		writeError(w, http.StatusBadRequest, "name the channel: "+listed(there))
	}
	return "", false
}

// maxListed channels are named in an error.
const maxListed = 20

// listed says which channels there are.
func listed(channels []string) string {
	if len(channels) == 0 {
		return "there is none"
	}
	quoted := make([]string, min(len(channels), maxListed))
	for i := range quoted {
		quoted[i] = strconv.Quote(channels[i])
	}
	text := "there are " + strings.Join(quoted, ", ")
	if len(channels) == 1 {
		text = "there is only " + quoted[0]
	}
	if more := len(channels) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more, see \"connector status\"", more)
	}
	return text
}

func (c Connector) writeInboxError(w http.ResponseWriter, channel string, err error) {
	switch {
	case errors.Is(err, inbox.ErrNotFound):
		writeError(w, http.StatusNotFound, err.Error())
	case errors.Is(err, inbox.ErrFull), errors.Is(err, inbox.ErrDiskFull), errors.Is(err, inbox.ErrClosed):
		writeError(w, http.StatusServiceUnavailable, err.Error())
	default:
		c.Log.Error(err, "The dead letters cannot be read or changed", "channel", channel)
		writeError(w, http.StatusInternalServerError, "inbox: "+err.Error())
	}
}

func summary(d inbox.DeadLetter) *DeadLetter {
	return &DeadLetter{
		ID:         d.Event.ID.String(),
		Type:       d.Event.Type,
		Reason:     d.Reason,
		Attempts:   d.Attempts,
		AcceptedAt: d.AcceptedAt,
		DiedAt:     d.DiedAt,
	}
}

func whole(d inbox.DeadLetter) *Letter {
	return &Letter{
		DeadLetter:   *summary(d),
		Channel:      d.Event.Channel,
		Source:       d.Event.Source,
		Subject:      d.Event.Subject,
		Conversation: d.Event.Conversation,
		Time:         d.Event.Time,
		ContentType:  d.Event.ContentType,
		Body:         d.Event.Body,
	}
}
