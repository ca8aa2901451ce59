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
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// timeLimit bounds the whole benchmark.
const timeLimit = 45 * time.Minute

// options are what a person can choose.
type options struct {
	figures []int
	// small and large are the numbers of resources that figures are asked for.
	small, large int
	// secrets is the number of Secrets that no resource names.
	secrets int
	// single is the number of resources created, and of Secrets changed, one
	// after another.
	singleCreates, singleChanges int
	// binary is the operator, as make build makes it.
	binary string
	dir    string
}

func main() {
	var o options
	chosen := flag.String("figure", "1,2,3,4,5", "the figures to measure")
	flag.IntVar(&o.small, "resources", 1000, "resources created at once")
	flag.IntVar(&o.large, "large", 0, "resources of the figures that ask for many (default five times -resources)")
	flag.IntVar(&o.secrets, "secrets", 0, "Secrets of 10 KiB that no resource names (default five times -resources)")
	flag.IntVar(&o.singleCreates, "creates", 50, "resources created one after another")
	flag.IntVar(&o.singleChanges, "changes", 20, "Secrets changed one after another")
	flag.StringVar(&o.binary, "operator", "bin/operator", "the operator's binary, which make build makes")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where etcd's data and the audit log are laid, about 500 MB")
	flag.Parse()

	err := o.complete(*chosen)
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchoperator:", err)
		os.Exit(1)
	}
}

// complete fills in what follows from other options, and checks them.
func (o *options) complete(figures string) (err error) {
	if o.figures, err = parseFigures(figures); err != nil {
		return err
	}
	if o.large == 0 {
		o.large = 5 * o.small
	}
	if o.secrets == 0 {
		o.secrets = 5 * o.small
	}
	if o.small < 1 || o.large < o.small || o.secrets < 1 || o.singleCreates < 1 || o.singleChanges < 1 {
		return errors.New("want numbers of at least 1, and -large at least -resources")
	}
	return nil
}

func parseFigures(list string) ([]int, error) {
	var numbers []int
	for name := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(name))
		if err != nil || n < 1 || n > lastFigure {
			return nil, fmt.Errorf("-figure %q: want numbers from 1 to %d, separated by commas", list, lastFigure)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func run(o options) (err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, timeLimit)
	defer cancel()

	folder, err := os.MkdirTemp(o.dir, "operator-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	fmt.Fprintln(os.Stderr, "starting etcd and the API server …")
	c, err := startCluster(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	b := &bench{options: o, cluster: c, folder: folder, table: &table{progress: os.Stderr}}
	if err := b.measure(ctx); err != nil {
		return err
	}
	fmt.Printf("%d processors, %s\n\n", runtime.NumCPU(), runtime.Version())
	return b.table.print(os.Stdout)
}
