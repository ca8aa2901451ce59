package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// Site is a host that a proxy serves by TLS.
type Site struct {
	Host string
	// Certificate and Key are in PEM.
	Certificate, Key string
	Routes           []Route
}

// Route leads calls of exactly this path to a backend's address.
type Route struct{ Path, Backend string }

// Kind is a program that can be the proxy.
type Kind struct {
	// Program is its command.
	Program string
	// configuration makes the file of a settings value.
	configuration *template.Template
	// check and run are the arguments that check the configuration, and serve it in the foreground.
	check, run []string
	// reload is the signal that makes it read the configuration again.
	reload syscall.Signal
}

// configFile is the name of the configuration in the proxy's folder.
const configFile = "config"

var (
	//go:embed nginx.conf
	nginx string
	//go:embed haproxy.cfg
	haproxy string
)

// Nginx is nginx, from 1.19.
func Nginx() Kind {
	paths := []string{"-p", ".", "-c", configFile, "-e", "stderr"}
	return Kind{
		Program: "nginx", configuration: template.Must(template.New("").Parse(nginx)), reload: syscall.SIGHUP,
		check: append([]string{"-t", "-q"}, paths...), run: paths,
	}
}

// HAProxy is HAProxy, from 2.5.
func HAProxy() Kind {
	return Kind{
		Program: "haproxy", configuration: template.Must(template.New("").Parse(haproxy)), reload: syscall.SIGUSR2,
		check: []string{"-c", "-q", "-f", configFile}, run: []string{"-W", "-f", configFile},
	}
}

// Find returns the path of the kind's program. Debian keeps it in a folder that only root's PATH has.
func (k Kind) Find() (string, error) {
	path, err := exec.LookPath(k.Program)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", k.Program))
	}
	return path, err
}

// Proxy is a real proxy with a folder and a port of its own on 127.0.0.1.
type Proxy struct {
	Kind
	// Address is where it listens.
	Address string

	folder  string
	program process.Program
	serves  string // the configuration in use
}

// NewProxy prepares a proxy, which starts with the first Serve. The folder must be empty.
func NewProxy(kind Kind, folder string) (*Proxy, error) {
	binary, err := kind.Find()
	addresses, reserveErr := reserved.Addresses(1)
	certificate, key, certErr := certificate.Make(1, "unknown.test")
	if err = errors.Join(err, reserveErr, certErr); err != nil {
		return nil, err
	}
	p := &Proxy{Kind: kind, Address: addresses[0], folder: folder}
	p.program.Log = filepath.Join(folder, "log")
	p.program.Command = func(context.Context) *exec.Cmd {
		run := exec.Command(binary, kind.run...) // Stop ends it in order: a killed nginx leaves its workers
		run.Dir = folder
		return run
	}
	return p, p.write("unknown", certificate+key)
}

// settings are what a configuration is made of.
type settings struct {
	Address string
	Sites   []Site
}

// Serve makes the proxy serve these sites, and nothing else.
func (p *Proxy) Serve(ctx context.Context, sites []Site) error {
	var text bytes.Buffer
	err := p.configuration.Execute(&text, settings{p.Address, sites})
	// A new certificate must be seen as a change.
	for _, site := range sites {
		fmt.Fprintf(&text, "# %x\n", site.Certificate)
		err = errors.Join(err, p.write(site.Host+".pem", site.Certificate+site.Key))
	}
	if err != nil || text.String() == p.serves {
		return err
	}
	if err := p.write(configFile, text.String()); err != nil {
		return err
	}
	if err := p.reread(ctx); err != nil {
		return err
	}
	p.serves = text.String()
	return nil
}

func (p *Proxy) write(name, content string) error {
	return os.WriteFile(filepath.Join(p.folder, name), []byte(content), 0o600)
}

// reread starts the proxy, or makes it read a good configuration again.
func (p *Proxy) reread(ctx context.Context) error {
	life := p.program.Life()
	if life == nil {
		if err := p.program.Launch(ctx); err != nil {
			return err
		}
		return p.program.Wait(ctx, "TLS", p.greets)
	}
	check := exec.CommandContext(ctx, p.program.Command(ctx).Path, p.check...)
	check.Dir = p.folder
	if said, err := check.CombinedOutput(); err != nil {
		return fmt.Errorf("%s refuses its configuration: %w: %s", p.Program, err, said)
	}
	return syscall.Kill(life.PID(), p.reload)
}

// greets reports whether a worker serves. A port that is open is not enough: a signal that comes before the workers ends
// the proxy.
func (p *Proxy) greets(ctx context.Context) bool {
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // whoever answers with TLS is there
	connection, err := dialer.DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// Log is everything that the proxy has logged: calls and errors.
func (p *Proxy) Log() (string, error) {
	text, err := os.ReadFile(p.program.Log)
	return string(text), err
}

// grace is far beyond the time that a proxy takes to end.
const grace = 10 * time.Second

// Stop ends the proxy with its workers, if it ever served.
func (p *Proxy) Stop() error {
	life := p.program.Life()
	if life == nil {
		return nil
	}
	err := life.Stop(grace)
	// The group is empty unless the proxy had to be killed.
	killed := syscall.Kill(-life.PID(), syscall.SIGKILL)
	if errors.Is(killed, syscall.ESRCH) {
		killed = nil
	}
	if state := (&exec.ExitError{}); errors.As(err, &state) {
		err = nil // HAProxy's status tells the signal
	}
	return cmp.Or(err, killed)
}
