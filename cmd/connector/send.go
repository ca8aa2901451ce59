package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/types"
)

const (
	// sendTimeout is longer than Zalo's own 2 s, to see how slow an answer is.
	sendTimeout = 30 * time.Second
	maxAnswer   = 64 << 10
	// keyParameter is the query parameter in which xBot's platforms send the API key.
	keyParameter = "param.header.xp-api-key"
	// here is the address of a connector on this machine.
	here = "http://127.0.0.1:8080"
)

// send holds the flags of the command.
type send struct {
	url                string
	apiKey, apiKeyFile string
	keyless            bool
	secret, secretFile string
	certificateFile    string
	file               string
	count              uint
	typeName           string
	// values are those of the flags of all types' samples.
	values map[string]*string
	sample *channel.Sample
}

// samples are the types whose calls can be made. The first is that of a command that names none.
func samples() []channel.Type {
	return slices.DeleteFunc(slices.Clone(types.Channels), func(t channel.Type) bool { return t.Sample == nil })
}

func newSend() *cobra.Command {
	s := send{values: map[string]*string{}}
	known := samples()
	command := &cobra.Command{
		Use:   "send",
		Short: "Sign an event as the platform does and post it",
		Long: "Build an event, sign it with the channel's secret key and post it as the platform\n" +
			"does. For an event of another shape than the type's sample post a file.\n" +
			"Without a secret nothing is signed. Prints each answer; fails unless every answer\n" +
			"is 200.",
		Example: "  connector send --api-key-file secrets/api-key --secret-file secrets/oa-secret-key \\\n" +
			"    --app-id 2553928453557884079 --text \"Xin chào\"",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := s.check(command.Flags()); err != nil {
				return usageError{err}
			}
			return s.run(command.Context(), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&s.url, "url", "", "the webhook's URL (default "+here+" with the type's own path)")
	flags.StringVar(&s.apiKey, "api-key", "", "the channel's API key; other users of the machine can see it, unlike a file's content")
	flags.StringVar(&s.apiKeyFile, "api-key-file", "", "a file with the channel's API key")
	flags.BoolVar(&s.keyless, "without-api-key", false, "post without an API key, which a webhook refuses with 401")
	flags.StringVar(&s.secret, "secret", "",
		"the OA secret key, or what the platform calls the key that signs; other users of the machine can see it, unlike a file's content")
	flags.StringVar(&s.secretFile, "secret-file", "", "a file with that key")
	flags.StringVar(&s.certificateFile, "certificate-file", "",
		"a file with the webhook's own certificate, to be trusted whatever its name and issuer, and no other one")
	flags.StringVar(&s.typeName, "type", known[0].Name, "the channel's type: "+names(known))
	flags.StringVar(&s.file, "file", "", "post this file's bytes instead of an event that is built")
	flags.UintVar(&s.count, "count", 1, "how many events to post, one after the other; a file is posted again as it is")
	command.MarkFlagsMutuallyExclusive("api-key", "api-key-file", "without-api-key")
	command.MarkFlagsMutuallyExclusive("secret", "secret-file")
	s.addFields(command, known)
	return command
}

// names lists the names of types.
func names(of []channel.Type) string {
	all := make([]string, len(of))
	for i := range of {
		all[i] = of[i].Name
	}
	return strings.Join(all, ", ")
}

// addFields adds a flag for each field of a sample. Types share a flag of the same name.
func (s *send) addFields(command *cobra.Command, known []channel.Type) {
	flags := command.Flags()
	for _, t := range known {
		for _, field := range t.Sample.Fields {
			if s.values[field.Name] != nil {
				continue
			}
			s.values[field.Name] = flags.String(field.Name, field.Default, field.Usage)
			if field.MayBeEmpty {
				_ = flags.SetAnnotation(field.Name, mayBeEmpty, nil) // it exists
			}
			if field.Required {
				command.MarkFlagsMutuallyExclusive("file", field.Name)
			}
		}
	}
}

// check refuses flags with which the command could only fail, or would do nothing.
func (s *send) check(flags *pflag.FlagSet) error {
	if s.sample = types.Channel(s.typeName).Sample; s.sample == nil {
		return fmt.Errorf("--type %s has no sample event: write for example %s", s.typeName, samples()[0].Name)
	}
	if err := s.checkFields(flags); err != nil {
		return err
	}
	if s.count == 0 {
		return errors.New("--count is 0, so nothing would be sent: want at least 1")
	}
	s.url = cmp.Or(s.url, here+types.Channel(s.typeName).DefaultPath)
	// Neither the URL nor its error is quoted: a key may be in it.
	target, err := url.Parse(s.url)
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") || target.Hostname() == "" {
		return fmt.Errorf("--url is no URL of a webhook: write for example %s%s", here, types.Channel(s.typeName).DefaultPath)
	}
	if s.apiKey == "" && s.apiKeyFile == "" && !s.keyless && target.Query().Get(keyParameter) == "" {
		return fmt.Errorf("no API key: give --api-key-file, a URL with %s, or --without-api-key", keyParameter)
	}
	return nil
}

// checkFields refuses an event that lacks a field, or has one of another type's.
func (s *send) checkFields(flags *pflag.FlagSet) (err error) {
	for _, field := range s.sample.Fields {
		if !flags.Changed(field.Name) {
			*s.values[field.Name] = field.Default // the flag's own is that of the first type that has it
		}
		if field.Required && s.file == "" && *s.values[field.Name] == "" {
			err = fmt.Errorf("no --%s, which an event of type %s needs: give it, or --file", field.Name, s.typeName)
		}
	}
	flags.Visit(func(flag *pflag.Flag) {
		own := slices.ContainsFunc(s.sample.Fields, func(f channel.SampleField) bool { return f.Name == flag.Name })
		if s.values[flag.Name] != nil && !own {
			err = fmt.Errorf("--%s is no part of an event of type %s: leave it out, or name another --type", flag.Name, s.typeName)
		}
	})
	return err
}

func (s *send) run(ctx context.Context, out io.Writer) error {
	var err error
	if s.apiKey, err = secretOf(s.apiKey, s.apiKeyFile); err != nil {
		return fmt.Errorf("the API key: %w", err)
	}
	if s.secret, err = secretOf(s.secret, s.secretFile); err != nil {
		return fmt.Errorf("the %s: %w", types.Channel(s.typeName).Words.SecretName, err)
	}
	// As for Zalo, a redirect is an answer like any other: no http.Client.
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if s.certificateFile != "" {
		if transport.TLSClientConfig, err = trusting(s.certificateFile); err != nil {
			return err
		}
	}
	defer transport.CloseIdleConnections()
	refused := 0
	for range s.count {
		status, err := s.post(ctx, transport, out)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			refused++
		}
	}
	if refused > 0 {
		return fmt.Errorf("not accepted: %d of %d", refused, s.count)
	}
	return nil
}

// trusting returns the settings of a client that calls the owner of the first certificate of a file, and nobody else.
func trusting(file string) (*tls.Config, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, fmt.Errorf("the webhook's certificate: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("the file %s holds no certificate in PEM", file)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // the certificate itself is compared
		VerifyConnection: func(state tls.ConnectionState) error {
			if !bytes.Equal(state.PeerCertificates[0].Raw, block.Bytes) {
				return fmt.Errorf("the webhook has another certificate than the one in %s", file)
			}
			return nil
		},
	}, nil
}

// secretOf returns the content of the file if one is named, and value otherwise. The error quotes neither.
func secretOf(value, file string) (string, error) {
	if file != "" {
		content, err := os.ReadFile(file) //nolint:gosec // the user names the file
		if err != nil {
			return "", err
		}
		value = strings.TrimSpace(string(content))
		if value == "" {
			return "", fmt.Errorf("the file %s is empty", file)
		}
	}
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "", errors.New("it has several lines or control characters: want the key alone")
	}
	return value, nil
}

// post posts one event and prints the answer.
func (s *send) post(ctx context.Context, transport http.RoundTripper, out io.Writer) (status int, err error) {
	body, err := s.body()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("--url is no URL") // it was parsed before; err quotes it
	}
	if err := s.authenticate(req.Header, body); err != nil {
		return 0, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, unanswered(req.URL.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, fmt.Errorf("the answer broke off: %w", err)
	}
	_, err = fmt.Fprintf(out, "%d %s\n", resp.StatusCode, printable(strings.TrimSpace(string(answer))))
	return resp.StatusCode, err
}

// unanswered says why a call got no answer. Only a failed dial can mean that the connector is elsewhere.
func unanswered(host string, err error) error {
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain {
		return fmt.Errorf("%s speaks no TLS: write http:// in the URL", host)
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("no answer from %s: %w", host, lookup)
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "dial" {
		return fmt.Errorf("no answer from %s: %w; is the connector running, and is this its server.address?", host, err)
	}
	return fmt.Errorf("the call to %s failed: %w", host, err)
}

func (s *send) body() ([]byte, error) {
	if s.file != "" {
		return os.ReadFile(s.file)
	}
	values := make(map[string]string, len(s.values))
	for name, value := range s.values {
		values[name] = *value
	}
	return s.sample.Body(values, time.Now())
}

// authenticate adds the API key and the signature, where they are given.
func (s *send) authenticate(header http.Header, body []byte) error {
	header.Set("Content-Type", s.sample.ContentType)
	if s.apiKey != "" {
		header.Set("Xp-Api-Key", s.apiKey)
	}
	if s.secret == "" {
		return nil
	}
	return s.sample.Sign(header, body, s.secret)
}
