// Benchoperator measures the operator against a real API server and etcd and
// prints a table. `make bench-operator` runs it; Linux only, since it reads /proc.
// KUBEBUILDER_ASSETS names the folder with kube-apiserver and etcd.
//
//	make build && go run ./test/cmd/benchoperator -figure 1,4 -resources 100
//
// # How to read the table
//
// The operator is the real binary, a process of its own, with its default flags.
// Resources are spread over 20 namespaces, each with an OA secret key and an API
// key in Secrets of its own. There is no kubelet: the benchmark marks each
// Deployment as rolled out as soon as it is there, so that resources become Ready.
//
// Times and writes are the API server's own: its audit log says when it received
// and when it answered each request, and whose it was. So nothing stands between
// the operator and the API server, and no write can be missed. API server, etcd,
// operator and benchmark share the machine; a busy one makes times longer.
//
//  1. Resources created at once, until the last child of the last one is written;
//     created one after another, from the resource's arrival at the API server
//     until its last child is written; and the writes that each took to be Ready.
//  2. Resident memory (VmRSS) of the settled operator, and the most that it was
//     (VmHWM), as resources are added and after a restart with all of them; and
//     what Secrets add that no resource names.
//  3. The operator is ended and started: from the start of the process until it
//     has reconciled every resource and its queue is empty; and its writes.
//  4. A user's Secret is changed, one after another: from the change's arrival
//     until the configuration's Secret is written, and holds it.
//  5. Each resource has a pod that tells of its traffic, always the same. Of the
//     operator, for two minutes: its share of a processor, its memory and its writes.
//
// A resource that does not become Ready ends the benchmark with an error. A figure
// that is missed does not.
package main

import (
	"context"
	"errors"
	"flag"
	"sync/atomic"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
)

// timeLimit bounds the whole benchmark.
const timeLimit = 45 * time.Minute

// bench is one run of the benchmark.
type bench struct {
	*benchmark.Run
	// small and large are the numbers of resources that figures are asked for.
	small, large int
	// secrets is the number of Secrets that no resource names.
	secrets int
	// singleCreates and singleChanges are the numbers of resources created, and of
	// Secrets changed, one after another.
	singleCreates, singleChanges int
	// binary is the operator, as make build makes it.
	binary string

	cluster  *cluster
	operator *operator
	journal  *journal
	// resources is how many there are, rolled how many of their Deployments are
	// marked as rolled out.
	resources int
	rolled    atomic.Int64
}

func main() {
	b := &bench{Run: benchmark.New("benchoperator", 5, "where etcd's data and the audit log are laid, about 500 MB")}
	flag.IntVar(&b.small, "resources", 1000, "resources created at once")
	flag.IntVar(&b.large, "large", 0, "resources of the figures that ask for many (default five times -resources)")
	flag.IntVar(&b.secrets, "secrets", 0, "Secrets of 10 KiB that no resource names (default five times -resources)")
	flag.IntVar(&b.singleCreates, "creates", 50, "resources created one after another")
	flag.IntVar(&b.singleChanges, "changes", 20, "Secrets changed one after another")
	flag.StringVar(&b.binary, "operator", "bin/operator", "the operator's binary, which make build makes")
	flag.Parse()
	b.Main(context.Background(), timeLimit, b.begin)
}

// complete fills in what follows from other options, and checks them.
func (b *bench) complete() error {
	if b.large == 0 {
		b.large = 5 * b.small
	}
	if b.secrets == 0 {
		b.secrets = 5 * b.small
	}
	if b.small < 1 || b.large < b.small || b.secrets < 1 || b.singleCreates < 1 || b.singleChanges < 1 {
		return errors.New("want numbers of at least 1, and -large at least -resources")
	}
	return nil
}

func (b *bench) begin(ctx context.Context) (err error) {
	if err := b.complete(); err != nil {
		return err
	}
	benchmark.Sayf("starting etcd and the API server …")
	if b.cluster, err = startCluster(b.Folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cluster.stop()) }()
	return b.measure(ctx)
}
