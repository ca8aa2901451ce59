package render

import (
	"errors"
	"path"
	"strings"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// Problem is a connector's problem with the value of a Secret key. It calls Secret keys by Reference.Field and
// TrialFile.
type Problem struct {
	config.Problem

	// Refused: the connector would not use the value.
	Refused bool
}

// Try returns the problems that a connector would have with values of Secret keys. Both are by Reference.Field. The
// connector gets each value as a file, because an unfit file makes it refuse nothing else.
func Try(c *v1alpha1.ChannelConnector, values map[string]string) map[string][]Problem {
	files := map[string][]byte{}
	stand := func(r Reference) config.APIKey {
		value := values[r.Field]
		if value == "" {
			return config.APIKey{Secret: config.Secret{Missing: true}}
		}
		name := path.Base(TrialFile(r))
		files[name] = []byte(value)
		return config.APIKey{Secret: config.Secret{File: name}}
	}
	said := map[string][]Problem{}
	note := func(problems []config.Problem, refused bool) {
		for _, p := range problems {
			field := strings.TrimSuffix(p.Path, ".file")
			said[field] = append(said[field], Problem{p, refused})
		}
	}
	channel := channelOf(c, v1alpha1.SecretKeyRef{}, stand)
	whole, err := process(c, stand)
	if err == nil {
		files[FileName], err = encode(whole, channel)
	}
	if err != nil {
		return nil // Render says so
	}
	loaded, err := load(files)
	if err != nil { // the schema let a wrong spec pass
		if refusal, ok := errors.AsType[*config.Error](err); ok {
			note(refusal.Problems, true)
		}
		return said
	}
	note(loaded.Lacks(), true)
	note(loaded.Warnings(), false)
	return said
}

// TrialFile is the path of the file that Try gives to a Secret key.
func TrialFile(r Reference) string {
	if r.File != "" {
		return path.Join(Directory, r.File)
	}
	return path.Join(Directory, r.Field)
}
