package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"text/template"
	"time"
)

// Where things are in the cluster. The manifests say so, too.
const (
	namespace = "quickstart"
	release   = "quickstart"
	operator  = "deployment/quickstart-channel-connector-operator"
	sink      = "deployment/bot"
	channel   = "channelconnector/shop"
	connector = "deployment/shop-connector"
	service   = "service/shop-connector"
)

// patience is how long a pod may take to come up on a machine that does much else;
// timeout says it to kubectl and helm.
const patience = 2 * time.Minute

var timeout = "--timeout=" + patience.String()

//go:embed manifests
var manifestFiles embed.FS

var manifests = template.Must(
	template.New("").Option("missingkey=error").ParseFS(manifestFiles, "manifests/*.yaml"))

//go:embed advice.txt
var adviceText string

var advice = template.Must(template.New("advice").Option("missingkey=error").Parse(adviceText))

// quickstart is one run.
type quickstart struct {
	cluster        string
	image, version string
	out            io.Writer
	// binaries is the folder with kubectl, where it is not the user's.
	binaries string
	// message is the id of the event that this run sends. It is new every time,
	// because the connector recognises repetitions.
	message string
	// awaiting says that there is no OA secret key yet, as before Zalo's console has
	// called for the first time.
	awaiting bool
	// oaSecretKey is what Zalo signs with.
	oaSecretKey string
}

func (q *quickstart) up(ctx context.Context) error {
	begun := time.Now()
	if err := play(ctx, q.out, q.steps()); err != nil {
		return err
	}
	fmt.Fprintf(q.out, "\nAll that took %.0f s.\n", time.Since(begun).Seconds())
	return q.advise(os.Getenv("KUBECONFIG"))
}

// advise says what to try next.
func (q *quickstart) advise(kubeconfig string) error {
	cluster := ""
	if q.cluster != local {
		cluster = " CLUSTER=" + q.cluster
	}
	return advice.Execute(q.out, map[string]string{
		"Kubeconfig": kubeconfig, "Binaries": q.binaries, "Namespace": namespace, "Cluster": cluster,
	})
}

func (q *quickstart) steps() []step {
	pods := kubectl("get", "pods", "--output=wide")
	events := kubectl("get", "events", "--sort-by=.lastTimestamp")
	condition := kubectl("describe", channel)
	log := kubectl("logs", connector)
	return []step{
		{"Start the cluster", q.startCluster, []line{q.inCluster("status")}},
		{"Make the images and load them into the cluster", q.loadImages, nil},
		{"Install the operator with Helm", q.installOperator, []line{pods, events, kubectl("logs", operator)}},
		{"Deploy a sink in the place of a bot", q.deploySink, []line{pods, events}},
		{
			"Make a channel without the OA secret key, which nobody knows yet", q.makeChannel,
			[]line{pods, events, kubectl("logs", operator), log, condition},
		},
		{"Save its URL in Zalo's console, which calls it and then shows the OA secret key", q.saveURL, []line{pods, condition, log}},
		{
			"Make the Secret with that key, and let Zalo send the event", q.receive,
			[]line{pods, condition, kubectl("logs", operator), log},
		},
		{
			"See it arrive at the sink as a CloudEvent", q.showDelivered,
			[]line{pods, kubectl("logs", sink), log, kubectl("exec", connector, "--", "/connector", "status")},
		},
	}
}
