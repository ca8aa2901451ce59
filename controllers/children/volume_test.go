package children

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"xbot.a4b.vn/channel-connector/controllers/connectortest"
)

// TestSizeOn: the inbox is as large as its volume has room for, and never larger than declared.
func TestSizeOn(t *testing.T) {
	for _, c := range []struct{ declared, volume, want string }{
		{"1Gi", "1792Mi", "1Gi"},
		{"1Gi", "1879048191", "1023Mi"}, // a byte too little
		{"1Gi", "1879048192000m", "1Gi"},
		{"1Gi", "2G", "1Gi"},
		{"1Gi", "16Ei", "1Gi"},
		{"2Gi", "1792Mi", "1Gi"},
		{"16Ti", "1792Mi", "1Gi"},
		{"16Ti", "24Ti", "17179694080Ki"},
		{"1Gi", "352Mi", "64Mi"},
		{"1Gi", "100Mi", "64Mi"}, // less than a connector takes
		{"1Gi", "0", "64Mi"},
		{"1Gi", "1m", "64Mi"},
		{"1Gi", "-8E", "64Mi"},
		{"64Mi", "1Mi", "64Mi"},
		{"1073741825", "1792Mi", "1Gi"},
	} {
		connector := connectortest.New(t, fmt.Sprintf("inbox: {embedded: {size: %q}}", c.declared))
		got := SizeOn(resource.MustParse(c.volume), connector)
		if got.Cmp(resource.MustParse(c.want)) != 0 {
			t.Errorf("%s on %s: %s, want %s", c.declared, c.volume, got.String(), c.want)
		}
		if need := volumeSize(connector); got.Cmp(connector.Spec.Inbox.Store().Size) < 0 && need.Cmp(resource.MustParse(c.volume)) <= 0 {
			t.Errorf("%s does not get its size on %s, which it asks for", c.declared, c.volume)
		}
	}
}

// TestRequest: a claim never requests less than it does, and more only if it is bound and its volume too small.
func TestRequest(t *testing.T) {
	connector := connectortest.New(t) // needs 1792Mi
	for name, c := range map[string]struct {
		phase               corev1.PersistentVolumeClaimPhase
		requested, capacity string
		want                string
		grows               bool
	}{
		"as wanted":              {corev1.ClaimBound, "1792Mi", "1792Mi", "1792Mi", false},
		"made larger by hand":    {corev1.ClaimBound, "8Gi", "8Gi", "8Gi", false},
		"smaller":                {corev1.ClaimBound, "1Gi", "1Gi", "1792Mi", true},
		"smaller, nothing known": {corev1.ClaimBound, "1Gi", "0", "1792Mi", true},
		"large enough already":   {corev1.ClaimBound, "1Gi", "2Gi", "1Gi", false},
		"not bound":              {corev1.ClaimPending, "1Gi", "0", "1Gi", false},
		"lost":                   {corev1.ClaimLost, "1Gi", "1Gi", "1Gi", false},
	} {
		live := &corev1.PersistentVolumeClaim{}
		live.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(c.requested)}
		live.Status.Phase = c.phase
		live.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(c.capacity)}
		wanted := claim.Want(input(connector))
		claim.Fit(wanted, live)
		got := (*wanted.(*corev1ac.PersistentVolumeClaimApplyConfiguration).Spec.Resources.Requests)[corev1.ResourceStorage]
		if got.Cmp(resource.MustParse(c.want)) != 0 || Grows(connector, live) != c.grows {
			t.Errorf("%s: it requests %s, grows %v, want %s, %v", name, got.String(), Grows(connector, live), c.want, c.grows)
		}
	}
}

// TestSizeReplacesNoPod: a larger Persistent inbox changes neither the pod template nor what tells that the resource has
// changed; a larger Ephemeral one changes both.
func TestSizeReplacesNoPod(t *testing.T) {
	const larger = "inbox: {embedded: {size: 2Gi}}"
	for _, c := range []struct {
		storage string
		changes bool
	}{{"inbox: {embedded: {storage: Persistent}}", false}, {connectortest.EphemeralStorage, true}} {
		before, after := connectortest.New(t, c.storage), connectortest.New(t, c.storage, larger)
		template := EncodeTemplate(PodTemplate(input(before))) != EncodeTemplate(PodTemplate(input(after)))
		if spec := SpecDigest(before) != SpecDigest(after); template != c.changes || spec != c.changes {
			t.Errorf("%s: the template changes %v, the digest %v, want %v", c.storage, template, spec, c.changes)
		}
	}
}
