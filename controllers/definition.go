package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi3"
	ctrl "sigs.k8s.io/controller-runtime"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// definition compares the CustomResourceDefinition in the cluster with that of this version, and says what the
// cluster's lacks. It needs no right: the API server publishes its schema to every client.
type definition struct {
	server openapi3.Root
	log    logr.Logger
	// changed is called after the message has changed.
	changed func(context.Context)

	mu      sync.Mutex
	message string
}

// lookAgain is how often the cluster is asked for what it lacks: fields, or kinds of children.
const lookAgain = 10 * time.Second

func newDefinition(mgr ctrl.Manager, changed func(context.Context)) (*definition, error) {
	server, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client for the API server's schemas: %w", err)
	}
	return &definition{server: openapi3.NewRoot(server.OpenAPIV3()), log: mgr.GetLogger(), changed: changed}, nil
}

// outdated says what is lacking, and what to do. It is empty if nothing is, and until the API server has told.
func (d *definition) outdated() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.message
}

// Start asks until nothing is lacking.
func (d *definition) Start(ctx context.Context) error {
	_ = wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (bool, error) {
		document, err := d.server.GVSpecAsMap(v1alpha1.GroupVersion)
		var missing []string
		if err == nil {
			missing, err = schema.Missing(document)
		}
		if err != nil {
			d.log.V(1).Info("cannot look at the CustomResourceDefinition", "err", err.Error())
			return false, nil
		}
		d.note(ctx, outdatedMessage(missing))
		return len(missing) == 0, nil
	}) // ctx has ended, or nothing is lacking
	return nil
}

func (d *definition) note(ctx context.Context, message string) {
	d.mu.Lock()
	before := d.message
	d.message = message
	d.mu.Unlock()
	if message == before {
		return
	}
	if message != "" {
		d.log.Error(errors.New(message), "outdated CustomResourceDefinition")
	}
	d.changed(ctx)
}

// most is how many fields a message names.
const most = 5

// remedy names no owner: who may read the definition's labels would need a right in the cluster, which an operator of one
// namespace has not. What Helm installed is Helm's: kubectl would conflict with it.
const remedy = "if kubectl get crd channelconnectors.xbot.a4b.vn -o yaml shows the label app.kubernetes.io/managed-by: Helm, " +
	"with helm upgrade --install of the release that the annotations meta.helm.sh name, with crds.enabled; " +
	"if Argo CD or Flux tracks it, through them; otherwise with kubectl apply --server-side -k config/crd"

func outdatedMessage(missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	names := strings.Join(missing[:min(most, len(missing))], ", ")
	if rest := len(missing) - most; rest > 0 {
		names += fmt.Sprintf(" and %d more", rest)
	}
	return fmt.Sprintf("The CustomResourceDefinition in the cluster is older than the operator: it lacks %s. "+
		"The API server drops such fields. Apply the one of the operator's version the way this one came: %s", names, remedy)
}
