package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// adminAPI tells a command where its connector is.
type adminAPI struct{ address, config string }

func (a *adminAPI) flags(command *cobra.Command) {
	command.Flags().StringVar(&a.config, "config", "", "the connector's configuration file, which says where its admin API is")
	command.Flags().StringVar(&a.address, "admin", "", "the path of the connector's admin.socket, or its admin.address\n"+
		"(default: this user's socket, then "+config.SystemSocket+")")
	command.MarkFlagsMutuallyExclusive("config", "admin")
}

// ask returns a RunE that asks the connector.
func (a *adminAPI) ask(do func(command *cobra.Command, c *admin.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		address, err := a.find()
		if err != nil {
			return err
		}
		return do(command, admin.NewClient(address), args)
	}
}

func (a *adminAPI) find() (string, error) {
	switch {
	case a.config != "":
		section, err := config.LoadAdmin(a.config, types.Config())
		return cmp.Or(section.Socket, section.Address), err
	case a.address == "":
		return usualSocket(config.UserSocket(), config.SystemSocket)
	case strings.Contains(a.address, ":") && !strings.Contains(a.address, "/"):
		return a.address, nil // a host and port
	}
	return filepath.Abs(a.address)
}

// usualSocket returns the first of the usual sockets that exists. It does not check whether a connector listens there:
// a command that deletes must not fall back to another connector.
func usualSocket(sockets ...string) (string, error) {
	var looked []string
	for _, socket := range sockets {
		if socket == "" {
			continue
		}
		if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
			return socket, nil
		}
		looked = append(looked, socket)
	}
	return "", fmt.Errorf("no connector's socket at %s: name its configuration with --config FILE, or its socket with --admin PATH",
		strings.Join(looked, " or "))
}
