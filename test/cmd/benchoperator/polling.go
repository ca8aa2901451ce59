package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
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
	"xbot.a4b.vn/channel-connector/test/kit/must"
)

const (
	// watchFor is how long the operator is watched while it polls: it asks each connector twice.
	watchFor = 2 * time.Minute
	// processorLimit is the share of a processor that figure 5 allows.
	processorLimit = 0.05
)

// firstPod is the address of the first pod. All of them are addresses of this machine.
var firstPod = binary.BigEndian.Uint32([]byte{127, 100, 0, 1})

func addressOf(i int) net.IP {
	return binary.BigEndian.AppendUint32(nil, firstPod+uint32(i))
}

// polling is figure 5: the operator polls and nothing changes.
func (b *bench) polling(ctx context.Context) {
	pods := must.Get(servePods(ctx))
	b.Cleanup(func() { must.Do(pods.Close()) })
	must.Do(forEach(ctx, 0, b.resources, b.makePod))
	b.await(ctx, "resources whose traffic is known", b.resources, func() int { return b.known(ctx) })
	b.awaitCalm(ctx)
	b.awaitPasses(ctx) // each status that was written causes one, which writes nothing

	written, before, begun := b.journal.tally(), must.Get(b.operator.Life().Usage()), time.Now()
	benchmark.Pause(ctx, watchFor)
	after := must.Get(b.operator.Life().Usage())
	share := (after.Processors - before.Processors).Seconds() / time.Since(begun).Seconds()
	b.Add(benchmark.Under(fmt.Sprintf("share of a processor, polling %d connectors", b.resources), 100*share, 100*processorLimit, "%"))
	b.Add(benchmark.Under("memory meanwhile", after.Resident, memoryLimitLarge, "MiB"))
	b.addWrites("writes meanwhile, and events", written)
}

// makePod makes the pod of the i-th resource.
func (b *bench) makePod(ctx context.Context, i int) {
	at, ip := childOf(i), addressOf(i).String()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name + "-0", Labels: children.Labels(keyOf(i).Name)},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "connector", Image: "registry.invalid/connector:1"}}},
	}
	must.Do(b.cluster.client.Create(ctx, pod))
	status := fmt.Sprintf(`{"status":{"phase":"Running","podIP":%q,"podIPs":[{"ip":%q}]}}`, ip, ip)
	must.Do(b.cluster.client.Status().Patch(ctx, pod, client.RawPatch(types.MergePatchType, []byte(status))))
}

// known counts the resources whose status has their traffic.
func (b *bench) known(ctx context.Context) (n int) {
	benchmark.Pause(ctx, time.Second) // a list of all of them is dear
	b.eachResource(ctx, func(c *v1alpha1.ChannelConnector) {
		if c.Status.Traffic != nil {
			n++
		}
	})
	return n
}

// servePods plays every pod: the address of a call says which.
func servePods(ctx context.Context) (*http.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", render.PortProbes))
	if err != nil {
		return nil, fmt.Errorf("serve the reports of the pods at their port: %w", err)
	}
	began := time.Now()
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		local, ok := call.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if !ok || local.IP.To4() == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		key := keyOf(int(binary.BigEndian.Uint32(local.IP.To4()) - firstPod))
		_ = json.NewEncoder(w).Encode(reportOf(key, began)) //nolint:errchkjson // a lost report is asked for again
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
			APIKeys: []report.Key{{Name: "first", LastUsed: at}},
			Signature: report.Signature{
				Mode: "Enforce", Keys: []report.Key{{Name: oaSecretOf(0).Name + "/" + keyOA, ID: "0123456789abcdef", LastUsed: at}},
			},
			Delivery: report.Delivery{LastTaken: at},
		}},
	}
}
