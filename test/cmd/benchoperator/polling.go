package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
)

const (
	// watchFor is how long the operator is watched while it polls: each connector is
	// asked twice.
	watchFor = 2 * time.Minute
	// processorLimit is the share of a processor that figure 5 allows.
	processorLimit = 0.05
)

// firstPod is the address of the first pod. All of them are addresses of this machine.
var firstPod = binary.BigEndian.Uint32([]byte{127, 100, 0, 1})

func addressOf(i int) net.IP {
	return binary.BigEndian.AppendUint32(nil, firstPod+uint32(i))
}

// polling is figure 5.
func polling(ctx context.Context, b *bench) (err error) {
	pods, err := servePods(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pods.Close()) }()
	if err := forEach(ctx, 0, b.resources, b.makePod); err != nil {
		return err
	}
	if err := b.await(ctx, "resources whose traffic is known", b.resources, func() int { return b.known(ctx) }); err != nil {
		return err
	}
	if err := b.await(ctx, "seconds without a write", int(calm.Seconds()), func() int { return int(b.journal.quiet().Seconds()) }); err != nil {
		return err
	}
	return b.watch(ctx)
}

// watch measures the operator while it polls and nothing changes.
func (b *bench) watch(ctx context.Context) error {
	writes, events := b.journal.writes()
	before, err := b.operator.Life().Usage()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := benchmark.Pause(ctx, watchFor); err != nil {
		return err
	}
	after, err := b.operator.Life().Usage()
	if err != nil {
		return err
	}
	share := (after.Processors - before.Processors).Seconds() / time.Since(begun).Seconds()
	writesAfter, eventsAfter := b.journal.writes()
	b.Add(benchmark.Under(5, fmt.Sprintf("share of a processor, polling %d connectors", b.resources), 100*share, 100*processorLimit, "%"))
	b.Add(benchmark.Under(5, "memory meanwhile", after.Resident, memoryLimitLarge, "MiB"))
	b.Add(benchmark.Row{
		Figure: 5, Measure: "writes meanwhile, and events", Asked: "none",
		Result: fmt.Sprintf("%d, %d", writesAfter-writes, eventsAfter-events),
		Met:    writesAfter == writes && eventsAfter == events,
	})
	return nil
}

// makePod makes the pod of the i-th resource.
func (b *bench) makePod(ctx context.Context, i int) error {
	at, ip := childOf(i), addressOf(i).String()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name + "-0", Labels: children.Labels(keyOf(i).Name)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "connector", Image: "registry.invalid/connector:1"}}},
	}
	if err := b.cluster.client.Create(ctx, pod); err != nil {
		return err
	}
	status := fmt.Sprintf(`{"status":{"phase":"Running","podIP":%q,"podIPs":[{"ip":%q}]}}`, ip, ip)
	return b.cluster.client.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, []byte(status)))
}

// known counts the resources whose status tells of their traffic.
func (b *bench) known(ctx context.Context) (n int) {
	if benchmark.Pause(ctx, time.Second) != nil { // a list of all of them is dear
		return 0
	}
	list := &v1alpha1.ChannelConnectorList{}
	for {
		if err := b.cluster.client.List(ctx, list, client.Limit(listPage), client.Continue(list.Continue)); err != nil {
			return 0
		}
		for i := range list.Items {
			if list.Items[i].Status.Traffic != nil {
				n++
			}
		}
		if list.Continue == "" {
			return n
		}
	}
}

// servePods plays every pod: the address that is asked says whose report is wanted.
func servePods(ctx context.Context) (*http.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", render.PortProbes))
	if err != nil {
		return nil, fmt.Errorf("play the pods, which serve their reports at one port: %w", err)
	}
	began := time.Now()
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		local, ok := call.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if !ok || local.IP.To4() == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		key := keyOf(int(binary.BigEndian.Uint32(local.IP.To4()) - firstPod))
		_ = json.NewEncoder(w).Encode(reportOf(key, began)) //nolint:errchkjson // whoever does not take it asks again
	})}
	go func() { _ = server.Serve(listener) }() // until it is closed
	return server, nil
}

// reportOf is the report of a channel that is well.
func reportOf(key client.ObjectKey, at time.Time) report.Report {
	return report.Report{
		Began: at, Inbox: report.Inbox{State: report.InboxOK, UsedBytes: 1 << 20, LimitBytes: 1 << 30},
		Channels: []report.Channel{{
			Name: key.String(), LastAuthentic: at, LastEvent: at,
			APIKeys:   []report.Key{{Name: "first", LastUsed: at}},
			Signature: report.Signature{Mode: "Enforce", Keys: []report.Key{{Name: oaSecretOf(0).Name + "/" + keyOA, ID: "0123456789abcdef", LastUsed: at}}},
			Delivery:  report.Delivery{LastTaken: at},
		}},
	}
}
