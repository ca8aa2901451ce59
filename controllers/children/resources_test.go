package children

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// quantities are a list of resources as text, in the order in which people write them.
type quantities struct{ CPU, Memory, Storage string }

func quantitiesOf(list corev1.ResourceList) quantities {
	text := func(name corev1.ResourceName) string {
		if quantity, ok := list[name]; ok {
			return quantity.String()
		}
		return ""
	}
	return quantities{text(corev1.ResourceCPU), text(corev1.ResourceMemory), text(corev1.ResourceEphemeralStorage)}
}

func TestResources(t *testing.T) {
	for name, c := range map[string]struct {
		patches          []string
		requests, limits quantities
	}{
		"defaults": {
			requests: quantities{"50m", "64Mi", "16Mi"}, limits: quantities{"", "256Mi", "256Mi"},
		},
		"nothing in it": {
			patches:  []string{`workload: {resources: {}}`},
			requests: quantities{"50m", "64Mi", "16Mi"}, limits: quantities{"", "256Mi", "256Mi"},
		},
		"Ephemeral": {
			patches:  []string{connectortest.EphemeralStorage},
			requests: quantities{"50m", "64Mi", "16Mi"}, limits: quantities{"", "256Mi", "1792Mi"},
		},
		"the smallest Ephemeral": {
			patches:  []string{connectortest.EphemeralStorage, `inbox: {embedded: {size: 64Mi}}`},
			requests: quantities{"50m", "64Mi", "16Mi"}, limits: quantities{"", "256Mi", "352Mi"},
		},
		"a declared request above the default limit": {
			patches:  []string{`workload: {resources: {requests: {memory: 1Gi, ephemeral-storage: 2Gi}}}`},
			requests: quantities{"50m", "1Gi", "2Gi"}, limits: quantities{"", "1Gi", "2Gi"},
		},
		"a declared limit below the default request": {
			patches:  []string{`workload: {resources: {limits: {cpu: 20m, memory: 32Mi, ephemeral-storage: 1Mi}}}`},
			requests: quantities{"20m", "32Mi", "1Mi"}, limits: quantities{"20m", "32Mi", "1Mi"},
		},
		"both declared": {
			patches:  []string{`workload: {resources: {requests: {cpu: "0.5", memory: 100M}, limits: {cpu: "1", memory: 0.5Gi}}}`},
			requests: quantities{"500m", "100M", "16Mi"}, limits: quantities{"1", "512Mi", "256Mi"},
		},
		"a request of no CPU": {
			patches:  []string{`workload: {resources: {requests: {cpu: 0}}}`},
			requests: quantities{"0", "64Mi", "16Mi"}, limits: quantities{"", "256Mi", "256Mi"},
		},
		"the largest": {
			patches:  []string{`workload: {resources: {limits: {memory: 16Ti}}}`},
			requests: quantities{"50m", "64Mi", "16Mi"}, limits: quantities{"", "16Ti", "256Mi"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			container := deploymentOf(t, input(connectortest.New(t, c.patches...))).Spec.Template.Spec.Containers[0]
			if diff := cmp.Diff(c.requests, quantitiesOf(container.Resources.Requests)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.limits, quantitiesOf(container.Resources.Limits)); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
			if len(container.Env) > 0 { // a limit in the environment would outlive a resize
				t.Errorf("the environment is %v", container.Env)
			}
		})
	}
}

// TestVolumes: the volume is half as large again as the inbox and 256 MiB more, since kubelet evicts at the limit of an
// emptyDir with no grace.
func TestVolumes(t *testing.T) {
	for size, want := range map[string]string{
		"64Mi": "352Mi", "1Gi": "1792Mi", "10Gi": "15616Mi", "16Ti": "25166080Mi", "67108865": "369098753",
	} {
		t.Run(size, func(t *testing.T) {
			const ephemeral = connectortest.EphemeralStorage
			patch := `inbox: {embedded: {size: ` + size + `}}`
			d := deploymentOf(t, input(connectortest.New(t, ephemeral, patch)))
			dir := d.Spec.Template.Spec.Volumes[1].EmptyDir
			if dir == nil || dir.SizeLimit.String() != want {
				t.Errorf("the emptyDir is %v, want %s", dir, want)
			}
			limit := d.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceEphemeralStorage]
			if limit.Cmp(*dir.SizeLimit) != 0 {
				t.Errorf("the limit is %s, want %s", &limit, want)
			}
			requested := requestedOf(input(connectortest.New(t, patch)))
			if requested.String() != want {
				t.Errorf("the claim is for %s, want %s", &requested, want)
			}
		})
	}
	requested := requestedOf(input(connectortest.New(t)))
	if requested.String() != "1792Mi" {
		t.Errorf("the default claim is for %s", &requested)
	}
	elsewhere := connectortest.New(t)
	elsewhere.Spec.Inbox = v1alpha1.Inbox{Type: "Elsewhere"}
	pod := deploymentOf(t, input(elsewhere)).Spec.Template.Spec
	isInbox := func(mount corev1.VolumeMount) bool { return mount.MountPath == render.InboxVolume }
	if len(pod.Volumes) != 2 || slices.ContainsFunc(pod.Containers[0].VolumeMounts, isInbox) || claim.Want(input(elsewhere)) != nil {
		t.Errorf("an inbox that is not Embedded gets a volume: %v", pod.Volumes)
	}
}

// requestedOf is the size that the claim asks for.
func requestedOf(in Input) resource.Quantity {
	want := claim.Want(in).(*corev1ac.PersistentVolumeClaimApplyConfiguration)
	return (*want.Spec.Resources.Requests)[corev1.ResourceStorage]
}
