package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestEnvironment: a variable stands for a flag that is not given.
func TestEnvironment(t *testing.T) {
	t.Setenv("XBOT_CONNECTOR_IMAGE", "from-environment:1")
	t.Setenv("XBOT_WATCH_NAMESPACES", "a,b")
	t.Setenv("XBOT_KUBE_API_QPS", "7")
	o := &options{}
	command := newRun()
	command.ResetFlags()
	o.addFlags(command.Flags())
	if err := command.Flags().Parse([]string{"--kube-api-qps=9"}); err != nil {
		t.Fatal(err)
	}
	if err := fromEnvironment(command, nil); err != nil {
		t.Fatal(err)
	}
	if o.Image != "from-environment:1" || strings.Join(o.Namespaces, " ") != "a b" || o.qps != 9 {
		t.Errorf("got image %q, namespaces %q, qps %v", o.Image, o.Namespaces, o.qps)
	}
}

// TestTheLeaseCanBeNamed: its default is what the Role in config/rbac allows.
func TestTheLeaseCanBeNamed(t *testing.T) {
	o := &options{}
	command := newRun()
	command.ResetFlags()
	o.addFlags(command.Flags())
	roles, err := os.ReadFile("../../config/rbac/leader_election.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if o.leaderElectionID == "" || !strings.Contains(string(roles), "resourceNames: ["+o.leaderElectionID+"]") {
		t.Errorf("config/rbac lets nobody hold the Lease %q", o.leaderElectionID)
	}
	t.Setenv("XBOT_LEADER_ELECTION_ID", "second")
	if err := fromEnvironment(command, nil); err != nil || o.leaderElectionID != "second" {
		t.Errorf("got Lease %q (%v)", o.leaderElectionID, err)
	}
}

func TestEnvironmentRefusesWhatTheFlagRefuses(t *testing.T) {
	t.Setenv("XBOT_KUBE_API_BURST", "many")
	_, _, err := call(t, "", "--connector-image=c:1")
	if err == nil || !strings.HasPrefix(err.Error(), "environment variable XBOT_KUBE_API_BURST: ") {
		t.Errorf("got %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no image": {nil, "--connector-image: required: name the connector's image, or set XBOT_CONNECTOR_IMAGE"},
		"a bound below 0": {
			[]string{"--connector-image=c:1", "--max-connectors-per-namespace=-1"}, "--max-connectors-per-namespace: want at least 0",
		},
		"no name": {
			[]string{"--connector-image=c:1", "--allowed-pod-labels=team,a*b"},
			`--allowed-pod-labels: want names, or the beginning of names and a *, not "a*b"`,
		},
		"no concurrency": {[]string{"--connector-image=c:1", "--max-concurrent-reconciles=0"}, "--max-concurrent-reconciles: want at least 1"},
		"no such level":  {[]string{"--connector-image=c:1", "--log-level=loud"}, `--log-level: want debug, info, warn or error, not "loud"`},
		"no such format": {[]string{"--connector-image=c:1", "--log-format=xml"}, `--log-format: want json or text, not "xml"`},
		"a certificate for HTTP": {
			[]string{"--connector-image=c:1", "--metrics-auth=false", "--metrics-cert-dir=/c"}, "--metrics-cert-dir: without --metrics-auth",
		},
		"no certificate": {
			[]string{"--connector-image=c:1", "--metrics-cert-dir=/absent"}, "--metrics-cert-dir: open /absent/tls.crt: no such file",
		},
		"an API of a type with a console": {
			[]string{"--connector-image=c:1", "--platform-api=ZaloOA=https://a.example"}, `--platform-api: "ZaloOA" is no type of channel whose`,
		},
		"no address of an API": {
			[]string{"--connector-image=c:1", "--platform-api=ZaloBot=a.example"}, "--platform-api: ZaloBot: want the address alone",
		},
		"an address with a secret": {
			[]string{"--connector-image=c:1", "--platform-api=ZaloBot=https://a:b@a.example"}, "--platform-api: ZaloBot: want the address alone",
		},
		"an argument more": {[]string{"--connector-image=c:1", "now"}, `unknown command "now" for "operator"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := call(t, "", c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestEveryFlagIsDescribed: people find the variable in the help.
func TestEveryFlagIsDescribed(t *testing.T) {
	for _, command := range []*cobra.Command{newRun(), newApply(), newRender()} {
		command.Flags().VisitAll(func(flag *pflag.Flag) {
			if strings.Count(flag.Usage, "($"+envName(flag.Name)+")") != 1 {
				t.Errorf("%s: --%s does not name its variable once: %s", command.Name(), flag.Name, flag.Usage)
			}
		})
	}
}

// TestAVariableStandsForARequiredFlag, which the help of that flag says.
func TestAVariableStandsForARequiredFlag(t *testing.T) {
	t.Setenv("XBOT_FILENAME", "-")
	stdout, _, err := call(t, shop+"---\n"+shopSecret+"---\n"+shopAPIKey, "render", "--connector-image=c:1")
	if err != nil || stdout == "" {
		t.Errorf("got %v", err)
	}
}
