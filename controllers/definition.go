package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi3"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/crd"
)

// definition tells what the CustomResourceDefinition in the cluster lacks of the one
// of this version. The API server publishes its schema to everybody who may ask it
// anything, so that the operator needs no right in the cluster for that.
type definition struct {
	server openapi3.Root
	log    logr.Logger
	// changed is called when what is outdated has changed.
	changed func(context.Context)

	mu      sync.Mutex
	message string
}

// lookAgain is how often is looked until nothing is lacking.
const lookAgain = 10 * time.Second

func newDefinition(mgr ctrl.Manager, changed func(context.Context)) (*definition, error) {
	server, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("make a client for the API server's schemas: %w", err)
	}
	return &definition{server: openapi3.NewRoot(server.OpenAPIV3()), log: mgr.GetLogger(), changed: changed}, nil
}

// outdated says what is lacking, and what to do; nothing when all is there, or as
// long as the API server does not tell.
func (d *definition) outdated() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.message
}

// Start looks until nothing is lacking.
func (d *definition) Start(ctx context.Context) error {
	_ = wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (bool, error) {
		missing, err := d.missing()
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

func outdatedMessage(missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	names := strings.Join(missing[:min(most, len(missing))], ", ")
	if rest := len(missing) - most; rest > 0 {
		names += fmt.Sprintf(" and %d more", rest)
	}
	return fmt.Sprintf("The CustomResourceDefinition in the cluster is older than the operator: it lacks %s. The API server drops such fields. "+
		"Apply the one of the operator's version: its config/crd, or its Helm chart with crds.enabled", names)
}

// missing lists the fields and defaults that the API server's schema lacks.
func (d *definition) missing() ([]string, error) {
	document, err := d.server.GVSpecAsMap(v1alpha1.GroupVersion)
	if err != nil {
		return nil, err
	}
	served, err := servedSchema(document)
	if err != nil {
		return nil, err
	}
	own := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(crd.ChannelConnectors, own); err != nil {
		return nil, err
	}
	for _, version := range own.Spec.Versions {
		if version.Name == v1alpha1.GroupVersion.Version {
			schema := version.Schema.OpenAPIV3Schema
			return append(lacks(served["spec"], schema.Properties["spec"], "spec"), lacks(served["status"], schema.Properties["status"], "status")...), nil
		}
	}
	return nil, fmt.Errorf("no version %s", v1alpha1.GroupVersion.Version)
}

// servedSchema finds the fields of a ChannelConnector in a document of OpenAPI.
func servedSchema(document map[string]any) (map[string]apiextensionsv1.JSONSchemaProps, error) {
	content, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	var all struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, err
	}
	for name, schema := range all.Components.Schemas {
		if strings.HasSuffix(name, ".ChannelConnector") {
			var found apiextensionsv1.JSONSchemaProps
			err := json.Unmarshal(schema, &found)
			return found.Properties, err
		}
	}
	return nil, errors.New("the API server's schemas have no ChannelConnector")
}

// lacks lists what served lacks of own, which are the schemas of a field.
func lacks(served, own apiextensionsv1.JSONSchemaProps, path string) (missing []string) {
	if own.Default != nil && served.Default == nil {
		missing = append(missing, "the default of "+path)
	}
	for name, field := range own.Properties {
		if other, ok := served.Properties[name]; ok {
			missing = append(missing, lacks(other, field, path+"."+name)...)
		} else {
			missing = append(missing, path+"."+name)
		}
	}
	if own.Items != nil && served.Items != nil && own.Items.Schema != nil && served.Items.Schema != nil {
		missing = append(missing, lacks(*served.Items.Schema, *own.Items.Schema, path+"[]")...)
	}
	slices.Sort(missing)
	return missing
}
