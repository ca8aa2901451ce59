package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envPrefix begins the environment variables that stand for flags: XBOT_CONNECTOR_IMAGE for --connector-image.
const envPrefix = "XBOT_"

// fromEnvironment sets each flag that was not given to the value of its environment variable.
func fromEnvironment(command *cobra.Command, _ []string) error {
	var failed error
	command.Flags().VisitAll(func(flag *pflag.Flag) {
		name := envName(flag.Name)
		value, ok := os.LookupEnv(name)
		if !ok || flag.Changed || failed != nil {
			return
		}
		if err := flag.Value.Set(value); err != nil {
			failed = fmt.Errorf("environment variable %s: %w", name, err)
		}
		flag.Changed = true // a required flag counts as missing otherwise
	})
	return failed
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// requireImage fails unless the connector's image was named.
func requireImage(image string) error {
	if image == "" {
		return fmt.Errorf("--connector-image: required: name the connector's image, or set %s", envName("connector-image"))
	}
	return nil
}

// describe appends the name of its variable to each flag's description.
func describe(flags *pflag.FlagSet) {
	flags.VisitAll(func(flag *pflag.Flag) { flag.Usage += " ($" + envName(flag.Name) + ")" })
}
