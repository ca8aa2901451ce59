package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"slices"
	"text/template"
	"time"
)

// Where things are in the cluster. The manifests say so, too.
const (
	operatorNamespace = "xbot-system"
	demoNamespace     = "quickstart"
	release           = "channel-connector"
	sink              = "deployment/bot"
	channel           = "shop"
	connector         = "deployment/shop-connector"
)

// patience is how long a pod may take to come up on a machine that does much else.
const patience = 2 * time.Minute

//go:embed manifests
var manifestFiles embed.FS

var manifests = template.Must(
	template.New("").Option("missingkey=error").ParseFS(manifestFiles, "manifests/*.yaml"))

// quickstart is one run.
type quickstart struct {
	image, version string
	out            io.Writer
	// message is the id of the event that this run sends. It is new every time,
	// because the connector recognises repetitions.
	message string
}

func (q *quickstart) up(ctx context.Context) error {
	begun := time.Now()
	if err := play(ctx, q.out, q.steps()); err != nil {
		return err
	}
	fmt.Fprintf(q.out, "\nAll that took %.0f s.\n", time.Since(begun).Seconds())
	return q.advise()
}

func (q *quickstart) steps() []step {
	operator := look(operatorNamespace, command{"logs", "deployment/" + release + "-operator"})
	demo := look(demoNamespace,
		command{"describe", "channelconnector", channel},
		command{"logs", connector},
	)
	return []step{
		{"Start the cluster", q.startCluster, []command{inCluster("status")}},
		{"Make the images and load them into the cluster", q.loadImages, nil},
		{"Install the operator with Helm", q.installOperator, operator},
		{"Deploy a sink in the place of a bot", q.deploySink, look(demoNamespace)},
		{"Make a channel: its Secrets and a ChannelConnector", q.makeChannel, slices.Concat(demo, operator)},
		{
			"Send xBot's example event to the channel's Service, signed as Zalo signs", q.send,
			append(demo, kubectl(demoNamespace, "logs", "job/"+q.job())),
		},
		{
			"See it arrive at the sink as a CloudEvent", q.showDelivered,
			append(demo, kubectl(demoNamespace, "logs", sink)),
		},
	}
}

// look returns the commands that show how a namespace is, and more.
func look(namespace string, more ...command) []command {
	args := append([]command{
		{"get", "pods", "--output=wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	}, more...)
	commands := make([]command, len(args))
	for i := range args {
		commands[i] = kubectl(namespace, args[i]...)
	}
	return commands
}

func kubectl(namespace string, args ...string) command {
	return append(command{"kubectl", "--namespace", namespace}, args...)
}
