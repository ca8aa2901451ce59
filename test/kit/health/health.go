// Package health judges ChannelConnectors as deployment tools do: Argo CD by the shipped check, Flux, and kubectl.
package health

import (
	"encoding/json"
	"fmt"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	luajson "layeh.com/gopher-json"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/argocd"
)

// Health is a tool's judgement of a resource.
type Health struct{ Status, Message string }

// The statuses of Argo CD.
const (
	healthy     = "Healthy"
	progressing = "Progressing"
	degraded    = "Degraded"
)

// pendingDeletion is Argo CD's status of every resource that is being deleted; no check is asked.
var pendingDeletion = Health{progressing, "Pending deletion"}

// ArgoCD runs the shipped health check as Argo CD does.
func ArgoCD(object *unstructured.Unstructured) (health Health, err error) {
	if object.GetDeletionTimestamp() != nil {
		return pendingDeletion, nil
	}
	state, err := newLua()
	if err != nil {
		return health, err
	}
	defer state.Close()
	content, err := object.MarshalJSON() // luajson knows the types of JSON only
	if err != nil {
		return health, err
	}
	value, err := luajson.Decode(state, content)
	if err != nil {
		return health, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(argocd.Health); err != nil {
		return health, err
	}
	result, err := luajson.Encode(state.Get(-1))
	if err != nil {
		return health, err
	}
	return health, json.Unmarshal(result, &health)
}

// newLua returns a state with the libraries that Argo CD gives to a check.
func newLua() (*lua.LState, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage}, // the others register there
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			state.Close()
			return nil, err
		}
	}
	return state, nil
}

// Flux judges a resource as Flux does, by kstatus.
func Flux(object *unstructured.Unstructured) (Health, error) {
	result, err := kstatus.Compute(object)
	if err != nil {
		return Health{}, err
	}
	return Health{result.Status.String(), result.Message}, nil
}

// Waited reports whether "kubectl wait --for=condition=Ready" ends.
func Waited(c *v1alpha1.ChannelConnector) bool {
	ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration >= c.Generation
}

// Check returns the disagreements of those tools on a resource.
func Check(c *v1alpha1.ChannelConnector) (wrong []string) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
	if err != nil {
		return []string{err.Error()}
	}
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ChannelConnector"))
	argo, err := ArgoCD(object)
	if err != nil {
		return []string{"Argo CD: " + err.Error()}
	}
	flux, err := Flux(object)
	if err != nil {
		return []string{"Flux: " + err.Error()}
	}
	want := expected(c)
	if argo.Status != want.argo {
		wrong = append(wrong, fmt.Sprintf("Argo CD says %s, not %s", argo.Status, want.argo))
	}
	if flux.Status != want.flux.String() {
		wrong = append(wrong, fmt.Sprintf("Flux says %s, not %s", flux.Status, want.flux))
	}
	return wrong
}

// expectation has the words of the tools for the same state.
type expectation struct {
	argo string
	flux kstatus.Status
}

func expected(c *v1alpha1.ChannelConnector) expectation {
	switch {
	case c.DeletionTimestamp != nil:
		return expectation{progressing, kstatus.TerminatingStatus}
	case Waited(c):
		return expectation{healthy, kstatus.CurrentStatus}
	case c.Status.ObservedGeneration == c.Generation && meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionStalled):
		return expectation{degraded, kstatus.FailedStatus}
	}
	return expectation{progressing, kstatus.InProgressStatus}
}
