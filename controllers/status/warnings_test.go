package status_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// warned is what events say, each a minute after the one before.
func warned(warnings ...string) func(*status.Observation) {
	return func(o *status.Observation) {
		for i, text := range warnings {
			reason, message, _ := strings.Cut(text, ": ")
			o.Warnings = append(o.Warnings, status.Warning{Reason: reason, Message: message, At: outage.Add(time.Duration(i) * time.Minute)})
		}
	}
}

// TestWarnings: of what events say, that is quoted which tells most.
func TestWarnings(t *testing.T) {
	const mounts = `VolumeNotMounted: Pod "new" waits for its volumes: `
	noPod := func(o *status.Observation) { o.Pods = nil }
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   string
	}{
		"a volume that is elsewhere": {
			[]func(*status.Observation){warned("FailedAttachVolume: Multi-Attach error\n")}, mounts + "FailedAttachVolume: Multi-Attach error",
		},
		"the latest": {
			[]func(*status.Observation){warned("FailedMount: first", "FailedMount: second")}, mounts + "FailedMount: second",
		},
		"what sums up tells less": {
			[]func(*status.Observation){warned("FailedMount: rpc error",
				"FailedMount: Unable to attach or mount volumes: unmounted volumes=[inbox]")},
			mounts + "FailedMount: rpc error",
		},
		"what sums up alone": {
			[]func(*status.Observation){warned("FailedMount: Unable to attach or mount volumes: timed out")},
			mounts + "FailedMount: Unable to attach or mount volumes: timed out",
		},
		"anything else": {
			[]func(*status.Observation){warned("FailedCreatePodSandBox: no network")},
			`Unavailable: Pod "new" did not become available in time: FailedCreatePodSandBox: no network`,
		},
		"the scheduler's, of before": {[]func(*status.Observation){warned("FailedScheduling: no room")}, unavailable},
		"what is no longer said": {
			[]func(*status.Observation){warned("FailedMapVolume: old", "FailedMount: new"),
				func(o *status.Observation) { o.Warnings[1].At = outage.Add(11 * time.Minute) }},
			mounts + "FailedMount: new",
		},
		"of before the outage": {
			[]func(*status.Observation){warned("Unhealthy: probe"), func(o *status.Observation) { o.Warnings[0].At = outage.Add(-time.Second) }},
			unavailable,
		},
		"of the ReplicaSet": {
			[]func(*status.Observation){warned("FailedCreate: Error creating: exceeded quota"), noPod},
			"PodsRefused: The cluster refuses the pod: Error creating: exceeded quota",
		},
		"in a roll-out": {
			[]func(*status.Observation){warned("FailedMount: no secret"), progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded")},
			mounts + "FailedMount: no secret",
		},
		"anything else in a roll-out": {
			[]func(*status.Observation){warned("Unhealthy: probe"), progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded")},
			`RollingOut: Pod "new" did not become available in time: Unhealthy: probe`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(t, append([]func(*status.Observation){downFor(tooLong)}, c.change...)...)
			verify(t, o, expected{stalled: c.want, available: "False " + c.want})
		})
	}
}

// TestWarningsStay: while the same is said in other words, or in turns with something else, the status does not change.
func TestWarningsStay(t *testing.T) {
	const first = `FailedMount: rpc error: op 1f0c9a77-04b2: took 1.5s (2 of 9) for volume "shop-2"`
	for name, c := range map[string]struct {
		pod      string
		warnings []string
		stays    bool
	}{
		"with other numbers": {
			"new", []string{`FailedMount: rpc error: op 9e8d7c66-0000: took 3m2.5s (10 of 9) for volume "shop-2"`}, true,
		},
		"in turns":  {"new", []string{first, "FailedMount: another"}, true},
		"no longer": {"new", []string{"FailedMount: another"}, false},
		"of something else": {
			"new", []string{`FailedMount: rpc error: op 1f0c9a77-04b2: took 1.5s (2 of 9) for volume "shop-3"`}, false,
		},
		"with another reason":        {"new", []string{"FailedAttachVolume" + strings.TrimPrefix(first, "FailedMount")}, false},
		"of another pod":             {"newer", []string{first}, false},
		"of a pod that is not there": {"", []string{first}, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(t, downFor(tooLong), warned(first))
			before := status.Compute(o)
			o.Connector.Status, o.Quoted = before, status.Quote(o)
			o.Warnings, o.Now = nil, o.Now.Add(time.Hour)
			warned(c.warnings...)(&o)
			if o.Pods[0].Name = c.pod; c.pod == "" {
				o.Pods = nil
			}
			if got := conditions(status.Compute(o))["Ready"] == conditions(before)["Ready"]; got != c.stays {
				t.Errorf("stays is %v: %s", got, conditions(status.Compute(o))["Ready"])
			}
		})
	}
}

// TestRefusedWordsStay: each pod that is refused would have had another name.
func TestRefusedWordsStay(t *testing.T) {
	o := observed(t, downFor(tooLong), warned(`FailedCreate: Error creating: pods "shop-connector-6d4c-x7k2p" is forbidden`),
		func(o *status.Observation) { o.Pods = nil })
	o.Connector.Status, o.Quoted = status.Compute(o), status.Quote(o)
	o.Warnings[0].Message = `Error creating: pods "shop-connector-6d4c-bcd99" is forbidden`
	if got := conditions(status.Compute(o))["Ready"]; !strings.Contains(got, "x7k2p") {
		t.Errorf("got %s", got)
	}
}

// TestSilent: events are asked for only past the deadline, of a workload that says nothing itself.
func TestSilent(t *testing.T) {
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		pod    string
		silent bool
	}{
		"well":                {nil, "", false},
		"no Deployment":       {[]func(*status.Observation){func(o *status.Observation) { o.Deployment = nil }}, "", false},
		"before the deadline": {[]func(*status.Observation){downFor(inTime)}, "", false},
		"past the deadline":   {[]func(*status.Observation){downFor(tooLong)}, "new", true},
		"without a pod":       {[]func(*status.Observation){downFor(tooLong), func(o *status.Observation) { o.Pods = nil }}, "", true},
		"that says why":       {[]func(*status.Observation){downFor(tooLong, waitsWith("ErrImagePull", ""))}, "", false},
		"in a roll-out":       {[]func(*status.Observation){down(), late}, "new", true},
		"that is not wanted":  {[]func(*status.Observation){downFor(tooLong), replicas(0, 0, 0, 0)}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			pod, silent := status.Silent(observed(t, c.change...))
			name := ""
			if pod != nil {
				name = pod.Name
			}
			if silent != c.silent || name != c.pod {
				t.Errorf("got %q, %v", name, silent)
			}
		})
	}
}
