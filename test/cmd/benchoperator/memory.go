package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// rest is how long the operator is left alone before its memory is read: a garbage collection under way ends, and freed
// memory goes back.
const rest = 10 * time.Second

// The memory that figure 2 allows, in MiB.
const (
	memoryLimitSmall   = 80
	memoryLimitLarge   = 200
	memoryLimitSecrets = 20
)

func (b *bench) memoryRestarted(ctx context.Context) {
	b.restartOperator(ctx)
	b.memory(ctx, ", after a restart", memoryLimitLarge)
}

// memory reads the memory of the operator at rest.
func (b *bench) memory(ctx context.Context, when string, limit float64) {
	used := b.atRest(ctx)
	row := benchmark.Under(fmt.Sprintf("memory with %d resources%s", b.resources, when), used.Resident, limit, "MiB")
	row.Result += fmt.Sprintf(" (most so far %.1f)", used.Peak)
	b.Add(row)
}

func (b *bench) atRest(ctx context.Context) process.Usage {
	benchmark.Pause(ctx, rest)
	return must.Get(b.operator.Life().Usage())
}

// unrelatedSecrets measures the memory that Secrets add if no resource names them.
func (b *bench) unrelatedSecrets(ctx context.Context) {
	before := b.atRest(ctx).Resident
	must.Do(forEach(ctx, 0, b.many(), b.makeUnrelated))
	after := b.atRest(ctx).Resident
	row := benchmark.Under(fmt.Sprintf("memory that %d unrelated Secrets of 10 KiB add", b.many()), after-before, memoryLimitSecrets, "MiB")
	row.Result += fmt.Sprintf(" (%.1f to %.1f)", before, after)
	b.Add(row)
}

// secretSize is that of an unrelated Secret, in bytes.
const secretSize = 10 << 10

func (b *bench) makeUnrelated(ctx context.Context, i int) {
	data := make([]byte, secretSize)
	rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(data) //nolint:errcheck // it never fails
	must.Do(b.cluster.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(i), Name: fmt.Sprintf("unrelated-%05d", i)},
		Data:       map[string][]byte{"data": data},
	}))
}
