// Benchoperator measures the operator against a real API server and etcd and prints a table. `make bench-operator` runs
// it; Linux only, since it reads /proc. KUBEBUILDER_ASSETS names the folder with kube-apiserver and etcd.
//
//	make build && go run ./test/cmd/benchoperator -figure 1,4 -resources 100
//
// # How to read the table
//
// The operator is the real binary, a process of its own, with its default flags. Resources are spread over 20
// namespaces, each with an OA secret key and an API key in Secrets of its own. There is no kubelet: the benchmark marks
// each Deployment as rolled out as soon as it is there, so that resources become Ready.
//
// Times and writes are the API server's own: its audit log has the time at which it received and answered each request,
// and the user. So nothing stands between the operator and the API server, and no write can be missed. API server,
// etcd, operator and benchmark share the machine; a busy one makes times longer.
//
//  1. Resources created at once, until the last child of the last one is written; created one after another, from the
//     resource's arrival at the API server until its last child is written; and the writes that each took to be Ready.
//  2. Resident memory (VmRSS) of the settled operator, and its peak (VmHWM), as resources are added and after a restart
//     with all of them; and the memory that Secrets add which no resource names.
//  3. The operator is ended and started: from the start of the process until it has reconciled every resource and its
//     queue is empty; and its writes.
//  4. A user's Secret is changed, one after another: from the change's arrival until the configuration's Secret is
//     written, and holds it.
//  5. Each resource has a pod that reports its traffic, always the same. Of the operator, for two minutes: its share of
//     a processor, its memory and its writes.
//
// The benchmark ends with an error if a resource does not become Ready, and not if a figure is missed. Etcd's data and
// the audit log take about 500 MB in the folder of -dir.
package main

import (
	"context"
	"flag"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
)

func main() {
	b := &bench{Run: benchmark.New("benchoperator", 5)}
	flag.IntVar(&b.small, "resources", 1000, "resources created at once; figures that ask for many have five times as many")
	flag.StringVar(&b.binary, "operator", "bin/operator", "the operator's binary, which make build makes")
	flag.Parse()
	b.Main(context.Background(), b.measure)
}
