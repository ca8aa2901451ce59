package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
)

const (
	// applyManager owns the fields that the command apply sets.
	applyManager = "channel-connector-apply"
	// applyTimeout is below the 5 min that Helm waits for a hook.
	applyTimeout = 4 * time.Minute
	// applyInterval is the pause between two passes.
	applyInterval = time.Second
	// applyRefusals is how often, at that interval, the API server may call a resource invalid. For some seconds after
	// a change of the definition it still judges by the older one.
	applyRefusals = 30
)

// application is one call of the command apply.
type application struct {
	client    client.Client
	configMap client.ObjectKey
	timeout   time.Duration
	log       io.Writer
	// refusals counts, by a resource's name, how often the API server called it invalid.
	refusals map[string]int
	// told has the lines that were logged already.
	told map[string]bool
}

func newApply() *cobra.Command {
	a := &application{refusals: map[string]int{}, told: map[string]bool{}}
	command := &cobra.Command{
		Use:   "apply CONFIGMAP",
		Short: "Apply the ChannelConnectors in a ConfigMap and wait until they are Ready",
		Long: "Apply the ChannelConnectors of a ConfigMap, one under each key, in its namespace. Wait until each is Ready, or " +
			"serves and lacks nothing but the key that signs calls, because a platform's console may show that key only then. They are " +
			"deleted when the ConfigMap no longer holds them, and when it is deleted. The Helm chart runs this for its value connectors.",
		Args:    cobra.ExactArgs(1),
		PreRunE: fromEnvironment,
		RunE: func(command *cobra.Command, args []string) error {
			ctrl.SetLogger(logr.Discard()) // what matters is in errors
			a.configMap.Name, a.log = args[0], command.OutOrStdout()
			var err error
			if a.client, err = newClient(); err != nil {
				return err
			}
			return a.run(command.Context())
		},
	}
	command.Flags().StringVarP(&a.configMap.Namespace, "namespace", "n", "default", "the namespace of the ConfigMap")
	command.Flags().DurationVar(&a.timeout, "timeout", applyTimeout, "how long to wait")
	describe(command.Flags())
	return command
}

func newClient() (client.Client, error) {
	config, err := clientConfig()
	if err != nil {
		return nil, err
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// permanentError is an error that does not go away by waiting.
type permanentError struct{ error }

// run makes passes until nothing is left to do or to wait for.
func (a *application) run(ctx context.Context) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, applyInterval, a.timeout, true, func(ctx context.Context) (bool, error) {
		err := a.pass(ctx)
		if ctx.Err() != nil {
			return false, ctx.Err() // what was wrong before says more than err
		}
		var permanent permanentError
		if err == nil || errors.As(err, &permanent) {
			return true, err
		}
		if last == nil || err.Error() != last.Error() {
			fmt.Fprintln(a.log, err)
		}
		last = err
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && last != nil {
		return fmt.Errorf("not Ready after %s:\n%w", a.timeout, last)
	}
	return err
}

// pass applies every resource and returns an error for each that is not Ready. Applying an unchanged resource writes
// nothing.
func (a *application) pass(ctx context.Context) error {
	source := &corev1.ConfigMap{}
	if err := a.client.Get(ctx, a.configMap, source); err != nil {
		return err
	}
	wanted, err := a.decode(ctx, source)
	if err != nil {
		return err
	}
	existing := &v1alpha1.ChannelConnectorList{}
	if err := a.client.List(ctx, existing, client.InNamespace(source.Namespace)); err != nil {
		return err
	}
	if err := a.conflicts(existing.Items, wanted); err != nil {
		return err
	}
	for i := range existing.Items {
		if err := a.prune(ctx, &existing.Items[i], wanted); err != nil {
			return err
		}
	}
	var left []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		left = append(left, a.apply(ctx, wanted[name]))
	}
	return errors.Join(left...)
}

// decode returns the resources in the ConfigMap by their names. The ConfigMap owns them, so that the garbage collector
// deletes them with it.
func (a *application) decode(ctx context.Context, source *corev1.ConfigMap) (map[string]*unstructured.Unstructured, error) {
	wanted := map[string]*unstructured.Unstructured{}
	for key, document := range source.Data {
		if _, err := schema.Decode(ctx, []byte(document)); err != nil {
			return nil, permanentError{fmt.Errorf("%s: %w", key, err)}
		}
		resource := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &resource.Object); err != nil {
			return nil, permanentError{fmt.Errorf("%s: %w", key, err)}
		}
		resource.SetNamespace(source.Namespace)
		resource.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: kindConfigMap, Name: source.Name, UID: source.UID}})
		wanted[resource.GetName()] = resource
	}
	return wanted, nil
}

// own reports whether a resource came from the ConfigMap.
func (a *application) own(existing *v1alpha1.ChannelConnector) bool {
	return slices.ContainsFunc(existing.OwnerReferences, func(owner metav1.OwnerReference) bool {
		return owner.Kind == kindConfigMap && owner.Name == a.configMap.Name
	})
}

// conflicts refuses resources of the ConfigMap whose names are taken by others.
func (a *application) conflicts(existing []v1alpha1.ChannelConnector, wanted map[string]*unstructured.Unstructured) error {
	var all []error
	for i := range existing {
		if name := existing[i].Name; wanted[name] != nil && !a.own(&existing[i]) {
			all = append(all, permanentError{fmt.Errorf(
				"ChannelConnector %q exists and is not from the ConfigMap %q: delete it, or give yours another name", name, a.configMap.Name)})
		}
	}
	return errors.Join(all...)
}

// prune deletes a resource that the ConfigMap no longer holds.
func (a *application) prune(ctx context.Context, existing *v1alpha1.ChannelConnector, wanted map[string]*unstructured.Unstructured) error {
	if wanted[existing.Name] != nil || !a.own(existing) || existing.DeletionTimestamp != nil {
		return nil
	}
	return client.IgnoreNotFound(a.client.Delete(ctx, existing))
}

// apply applies a resource, and returns an error unless it is Ready or lacks its signing key alone.
func (a *application) apply(ctx context.Context, resource *unstructured.Unstructured) error {
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(resource), client.ForceOwnership, client.FieldOwner(applyManager))
	if err != nil {
		return a.refusal(resource.GetName(), err)
	}
	c := &v1alpha1.ChannelConnector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(resource.Object, c); err != nil {
		return err
	}
	return a.judge(c)
}

// judge returns an error while the resource is to be waited for.
func (a *application) judge(c *v1alpha1.ChannelConnector) error {
	if c.DeletionTimestamp == nil && awaits(c) {
		a.tell(fmt.Sprintf("ChannelConnector %q serves, and is Ready when it has its %s: kubectl describe it", c.Name,
			types.Channel(string(c.Spec.Type)).Words.SecretName))
		return nil
	}
	return unready(c)
}

// awaits reports whether a resource lacks its signing key alone. A platform's console may show that key only after a
// connector has answered it, so this command must not wait for it.
func awaits(c *v1alpha1.ChannelConnector) bool {
	ready := current(c, v1alpha1.ConditionReady)
	available := current(c, v1alpha1.ConditionWorkloadAvailable)
	return ready.Reason == credentials.ReasonAwaiting(c.Spec.Type) && available.Status == metav1.ConditionTrue
}

// unready returns an error unless the resource is Ready.
func unready(c *v1alpha1.ChannelConnector) error {
	ready := current(c, v1alpha1.ConditionReady)
	switch {
	case c.DeletionTimestamp != nil:
		return fmt.Errorf("ChannelConnector %q is being deleted; it is created again afterwards", c.Name)
	case ready.Type == "":
		return fmt.Errorf("ChannelConnector %q: the operator has not looked at it yet", c.Name)
	case ready.Status != metav1.ConditionTrue:
		return fmt.Errorf("ChannelConnector %q is not Ready: %s: %s", c.Name, ready.Reason, ready.Message)
	}
	return nil
}

// current returns a condition of the resource if it was observed at the present generation, and an empty one otherwise.
func current(c *v1alpha1.ChannelConnector, kind string) metav1.Condition {
	if found := meta.FindStatusCondition(c.Status.Conditions, kind); found != nil && found.ObservedGeneration == c.Generation {
		return *found
	}
	return metav1.Condition{}
}

// tell logs a line once, however many passes repeat it.
func (a *application) tell(line string) {
	if !a.told[line] {
		a.told[line] = true
		fmt.Fprintln(a.log, line)
	}
}

// refusal returns the error of a resource that the API server refused. It is permanent if the resource stays invalid:
// decode found nothing wrong, so the resource changes a field that cannot be changed.
func (a *application) refusal(name string, err error) error {
	err = fmt.Errorf("ChannelConnector %q: %w", name, err)
	if !apierrors.IsInvalid(err) {
		return err
	}
	if a.refusals[name]++; a.refusals[name] < applyRefusals {
		return err
	}
	return permanentError{err}
}
